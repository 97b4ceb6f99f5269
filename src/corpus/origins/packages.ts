import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { extract } from 'tar'
import { fileError, SmolforgeError } from '../../errors.ts'
import { hashFile } from '../../files/atomic.ts'

const MAX_UNPACKED_BYTES = 2 ** 31
const MAX_FILES = 200_000
const DONE_FILE = '.smolforge-package.json'

export interface PackageReference {
  name: string
  version: string
  /** `sha512-` and base64, as `npm view name@version dist.integrity` prints it. */
  integrity: string
  /** What npm is asked for in the place of `name@version`: a folder or a tarball. */
  from?: string
}

/**
 * Fetches one pinned npm package through the npm client (so that its registry, proxy and login settings hold),
 * verifies the sha512 of the tarball and unpacks it below `cacheDir`. Gives the folder of its files; the second time
 * without network.
 *
 * @throws SmolforgeError `network` when npm fails, `damaged` when the tarball is not the one that was pinned.
 */
export async function fetchPackage(reference: PackageReference, cacheDir: string): Promise<string> {
  const { name, version, integrity } = reference
  const digest = createHash('sha256').update(integrity).digest('hex').slice(0, 12)
  const folder = join(cacheDir, `${name.replace('@', '').replace('/', '-')}-${version}-${digest}`)
  if (await exists(join(folder, DONE_FILE))) return folder
  const work = await makeWorkFolder(cacheDir)
  try {
    const tarball = await packWithNpm(reference, work, cacheDir)
    await verify(tarball, reference)
    const unpacked = join(work, 'files')
    await mkdir(unpacked)
    await unpack(tarball, unpacked, `${name}@${version}`)
    await writeFile(join(unpacked, DONE_FILE), `${JSON.stringify({ name, version, integrity })}\n`)
    await publish(unpacked, folder)
    return folder
  } finally {
    await rm(work, { recursive: true, force: true }).catch(() => {})
  }
}

/** Fetches several packages at once; the folders come in the order of the references. */
export async function fetchPackages(
  references: readonly PackageReference[],
  cacheDir: string,
): Promise<string[]> {
  const results = await Promise.allSettled(references.map((reference) => fetchPackage(reference, cacheDir)))
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

/** What a folder of the cache holds: unpacked once, and known by the tarball's own hash. */
export async function unpackTarball(tarball: string, cacheDir: string): Promise<string> {
  const hash = await hashFile(tarball)
  const folder = join(cacheDir, `tarball-${hash.slice(0, 24)}`)
  if (await exists(join(folder, DONE_FILE))) return folder
  const work = await makeWorkFolder(cacheDir)
  try {
    const unpacked = join(work, 'files')
    await mkdir(unpacked)
    await unpack(tarball, unpacked, basename(tarball))
    await writeFile(
      join(unpacked, DONE_FILE),
      `${JSON.stringify({ tarball: basename(tarball), sha256: hash })}\n`,
    )
    await publish(unpacked, folder)
    return folder
  } finally {
    await rm(work, { recursive: true, force: true }).catch(() => {})
  }
}

async function makeWorkFolder(cacheDir: string): Promise<string> {
  try {
    await mkdir(cacheDir, { recursive: true })
    return await mkdtemp(join(cacheDir, '.fetch-'))
  } catch (error) {
    throw fileError(error, cacheDir)
  }
}

async function packWithNpm(reference: PackageReference, into: string, cacheDir: string): Promise<string> {
  const wanted = reference.from ?? `${reference.name}@${reference.version}`
  const options = ['--pack-destination', into, '--ignore-scripts', '--json', '--loglevel=error']
  try {
    const windows = process.platform === 'win32'
    await promisify(execFile)(windows ? 'npm.cmd' : 'npm', ['pack', wanted, ...options], {
      cwd: into,
      maxBuffer: 1 << 26,
      shell: windows,
      // Asked from an npm script, npm would take that script's project for its own.
      env: { ...process.env, npm_config_dry_run: 'false' },
    })
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw new SmolforgeError(
      missing ? 'environment' : 'network',
      missing ? 'The npm client was not found' : `npm cannot fetch ${wanted}: ${npmReason(cause)}`,
      {
        place: { file: cacheDir },
        hint: missing
          ? 'npm comes with Node: check your PATH.'
          : 'The package is not in the cache either. Check the network and the npm registry setting, then run again.',
        cause,
      },
    )
  }
  const tarball = (await readdir(into)).find((file) => file.endsWith('.tgz'))
  if (tarball === undefined) {
    throw new SmolforgeError('network', `npm pack ${wanted} gave no tarball`, { place: { file: into } })
  }
  return join(into, tarball)
}

/** The line of npm's answer that says what was wrong. */
function npmReason(cause: unknown): string {
  const output = cause as { stdout?: string; stderr?: string; message?: string }
  try {
    const said = JSON.parse(output.stdout ?? '') as { error?: { code?: string; summary?: string } }
    if (said.error) return [said.error.code, said.error.summary].filter(Boolean).join(' ')
  } catch {
    // Not every failure comes as JSON.
  }
  const lines = (output.stderr ?? '').split('\n').filter((line) => /error|ERR!/.test(line))
  return (lines[0] ?? output.message ?? 'unknown reason').replace(/^npm (error|ERR!) ?/, '').slice(0, 300)
}

async function verify(tarball: string, { name, version, integrity }: PackageReference): Promise<void> {
  const hash = createHash('sha512')
  for await (const chunk of createReadStream(tarball)) hash.update(chunk as Buffer)
  const found = `sha512-${hash.digest('base64')}`
  if (found === integrity) return
  throw new SmolforgeError('damaged', `The tarball of ${name}@${version} is not the one that was pinned`, {
    place: { field: 'integrity' },
    hint: `Expected ${integrity}, got ${found}. Do not change it before you know why it differs.`,
  })
}

/** Files and folders only: links, devices, absolute paths and paths that lead out are refused. */
async function unpack(tarball: string, into: string, label: string): Promise<void> {
  let bytes = 0
  let files = 0
  let refused: string | undefined
  await extract({
    file: tarball,
    cwd: into,
    strip: 1,
    preservePaths: false,
    preserveOwner: false,
    noMtime: true,
    dmode: 0o755,
    fmode: 0o644,
    filter: (path, entry) => {
      const type = 'type' in entry ? entry.type : 'File'
      if (refused !== undefined) return false
      bytes += entry.size ?? 0
      files++
      if (bytes > MAX_UNPACKED_BYTES || files > MAX_FILES) {
        refused = `unpacks to more than ${MAX_UNPACKED_BYTES} bytes or ${MAX_FILES} files`
      } else if (path.startsWith('/') || path.split(/[\\/]/).includes('..')) {
        refused = `holds a path that leads out of its folder: ${path}`
      } else if (!['File', 'OldFile', 'ContiguousFile', 'Directory'].includes(type)) {
        refused = `holds a ${type} where only files belong: ${path}`
      }
      return refused === undefined
    },
  }).catch((cause) => {
    throw fileError(cause, into)
  })
  if (refused !== undefined) {
    throw new SmolforgeError('input', `The tarball of ${label} ${refused}`, { place: { file: label } })
  }
}

/** One rename; when another process was faster its folder is as good as ours. */
async function publish(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (await exists(join(to, DONE_FILE))) return
    // A folder without its mark is left over from an older crash: out of the way with it.
    const aside = `${to}.${randomBytes(4).toString('hex')}.old`
    await rename(to, aside).catch(() => {
      throw fileError(error, to)
    })
    await rename(from, to)
    await rm(aside, { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
