// What a fresh clone needs before anything runs: tools checked, packages installed, parts built.
// Plain JavaScript with Node's own modules: it runs before a single package is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const OLDEST_NODE = [20, 19]
const OLDEST_RUST = [1, 89]

/** Ends with one clear line when Node or Rust is missing or too old. */
export function checkTools() {
  if (isOlder(process.versions.node, OLDEST_NODE)) {
    fail(
      `smolforge needs Node ${OLDEST_NODE.join('.')} or newer, this is ${process.versions.node}: install it from https://nodejs.org`,
    )
  }
  const cargo = spawnSync('cargo', ['--version'], { encoding: 'utf8' })
  if (cargo.error || cargo.status !== 0) {
    fail('smolforge needs a stable Rust toolchain and found no cargo: install it from https://rustup.rs')
  }
  const version = /cargo (\d+\.\d+)/.exec(cargo.stdout)?.[1] ?? '0.0'
  if (isOlder(version, OLDEST_RUST)) {
    fail(
      `smolforge needs Rust ${OLDEST_RUST.join('.')} or newer, this is ${version}: run rustup update stable`,
    )
  }
}

/** Installs exactly what package-lock.json says, unless node_modules already is that. */
export function installPackages() {
  once(
    'packages',
    ['package.json', 'package-lock.json'],
    () => existsSync(join(root, 'node_modules/.package-lock.json')),
    () => {
      run('installing packages', 'npm', ['ci', '--no-audit', '--no-fund'])
    },
  )
}

/** Compiles the native crates and puts the addon at native/smolforge.node by one rename. */
export function buildNative() {
  const addon = join(root, 'native/smolforge.node')
  once(
    'native',
    ['native/Cargo.toml', 'native/Cargo.lock', 'native/crates'],
    () => existsSync(addon),
    () => {
      run('building the native crate', 'cargo', [
        'build',
        '--release',
        '--locked',
        '-p',
        'smolforge-node',
        '--manifest-path',
        'native/Cargo.toml',
      ])
      const library =
        { darwin: 'libsmolforge_node.dylib', win32: 'smolforge_node.dll' }[process.platform] ??
        'libsmolforge_node.so'
      const target = process.env.CARGO_TARGET_DIR ?? join(root, 'native/target')
      copyFileSync(join(target, 'release', library), `${addon}.tmp`)
      // A running process keeps the old file mapped: replace the name, never the bytes.
      renameSync(`${addon}.tmp`, addon)
    },
  )
}

/** Compiles src/ to dist/. */
export function buildTypeScript() {
  once(
    'ts',
    ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'],
    () => existsSync(join(root, 'dist/cli/main.js')),
    () => {
      run('compiling TypeScript', process.execPath, [
        'node_modules/typescript/bin/tsc',
        '-p',
        'tsconfig.build.json',
      ])
      chmodSync(join(root, 'dist/cli/main.js'), 0o755)
    },
  )
}

/** Builds the pages to dist/web/. */
export function buildWeb() {
  once(
    'web',
    ['web', 'package-lock.json'],
    () => ['report', 'chat', 'classifier'].every((page) => existsSync(join(root, `dist/web/${page}.html`))),
    () => {
      run('building the web pages', process.execPath, ['web/build.mjs'])
    },
  )
}

/** Runs a program with its output shown only when it fails, or all of it with SMOLFORGE_VERBOSE=1. */
export function run(what, program, args, options = {}) {
  const started = Date.now()
  const verbose = process.env.SMOLFORGE_VERBOSE === '1' || options.show === true
  if (!options.show) process.stderr.write(`· ${what} … `)
  const result = spawnSync(program, args, {
    cwd: root,
    stdio: verbose ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    shell: process.platform === 'win32' && program === 'npm',
  })
  if (result.error || result.status !== 0) {
    process.stderr.write('failed\n')
    if (!verbose) process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
    fail(
      `${what} failed: ${result.error?.message ?? `${program} ended with ${result.signal ?? result.status}`}`,
    )
  }
  if (!options.show) process.stderr.write(`${((Date.now() - started) / 1000).toFixed(1)} s\n`)
}

/** Skips work whose inputs have the same contents as when it last succeeded and whose result is there. */
function once(name, inputs, isThere, work) {
  const stamp = join(root, 'node_modules/.cache/smolforge', `${name}.stamp`)
  const key = hashTree(inputs)
  if (isThere() && existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return
  work()
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, key)
}

function hashTree(paths) {
  const hash = createHash('sha256').update(process.version).update(process.platform).update(process.arch)
  const visit = (path) => {
    if (!existsSync(path)) return
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) visit(join(path, name))
      return
    }
    hash.update(relative(root, path)).update('\0').update(readFileSync(path)).update('\0')
  }
  for (const path of paths) visit(join(root, path))
  return hash.digest('hex')
}

function isOlder(version, oldest) {
  const [major, minor] = version.split('.').map(Number)
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1])
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
