// Ai2's Rust tools, built from checkouts that a user has.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export type PeerName = 'datamap-rs' | 'duplodocus'

/** Dependencies in a manifest of theirs that cannot be had, and that no line of their sources uses. */
const leftOut: Record<PeerName, readonly string[]> = {
  // Every version of it is yanked.
  'datamap-rs': ['tiktoken'],
  duplodocus: [],
}

/**
 * Where the checkout of a tool is: `folder` itself or one in it, by the name in its manifest; undefined where there is
 * none.
 */
export function findCheckout(folder: string, name: PeerName): string | undefined {
  if (!existsSync(folder)) return undefined
  const candidates = [folder, ...readdirSync(folder).map((entry) => join(folder, entry))]
  return candidates.find((candidate) => {
    const manifest = join(candidate, 'Cargo.toml')
    return existsSync(manifest) && readFileSync(manifest, 'utf8').includes(`\nname = "${name}"\n`)
  })
}

/**
 * Builds a tool in release mode from a copy of its checkout, which stays as it is, and gives the program. The copy and
 * what is built of it lie in ~/.cache/smolforge/peers (SMOLFORGE_BENCH_PEERS names another folder): the next call only
 * builds what changed.
 *
 * @throws Error with cargo's last words when it does not build.
 */
export function buildPeer(checkout: string, name: PeerName): string {
  const cache = process.env.SMOLFORGE_BENCH_PEERS ?? join(homedir(), '.cache/smolforge/peers')
  const [source, target] = [join(cache, name, 'source'), join(cache, name, 'target')]
  mkdirSync(source, { recursive: true })
  for (const entry of readdirSync(checkout)) {
    if (skipped.has(entry)) continue
    // With their times, by which cargo sees what is new.
    cpSync(join(checkout, entry), join(source, entry), { recursive: true, preserveTimestamps: true })
  }
  const manifest = manifestWithout(readFileSync(join(checkout, 'Cargo.toml'), 'utf8'), leftOut[name])
  const written = join(source, 'Cargo.toml')
  if (!existsSync(written) || readFileSync(written, 'utf8') !== manifest) writeFileSync(written, manifest)
  const { status, stderr, error } = spawnSync('cargo', ['build', '--release', '--bin', name], {
    cwd: source,
    env: { ...process.env, CARGO_TARGET_DIR: target },
    stdio: ['ignore', 'inherit', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (status !== 0) throw new Error(`${name} was not built: ${error?.message ?? stderr.slice(-3000)}`)
  const program = join(target, 'release', name)
  if (!statSync(program).isFile()) throw new Error(`${name} is not where cargo puts it`)
  return program
}

const skipped = new Set(['Cargo.toml', '.git', 'target'])

function manifestWithout(manifest: string, dependencies: readonly string[]): string {
  const lines = manifest.split('\n')
  return lines.filter((line) => !dependencies.some((name) => line.startsWith(`${name} = `))).join('\n')
}
