import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SmolforgeError } from '../../src/errors.ts'

const VERSION = '3.22.1'

/** The packages that carry llama.cpp for the CPU, built; node-llama-cpp names them all, GPUs included, as optional. */
const binaries: Record<string, string> = {
  'linux-x64': '@node-llama-cpp/linux-x64',
  'linux-arm64': '@node-llama-cpp/linux-arm64',
  'darwin-arm64': '@node-llama-cpp/mac-arm64-metal',
  'darwin-x64': '@node-llama-cpp/mac-x64',
  'win32-x64': '@node-llama-cpp/win-x64',
}

/**
 * A folder with node-llama-cpp in it, installed once into the system's temporary folder without running its scripts.
 *
 * @throws SmolforgeError `network` when npm cannot install it, `environment` where there is none for this machine.
 */
export function installLlamaCpp(): string {
  const binary = binaries[`${process.platform}-${process.arch}`]
  if (binary === undefined) {
    throw new SmolforgeError(
      'environment',
      `There is no built llama.cpp for ${process.platform} ${process.arch}`,
    )
  }
  const folder = join(tmpdir(), `smolforge-bench-node-llama-cpp-${VERSION}`)
  const stamp = join(folder, 'installed')
  if (existsSync(stamp)) return folder
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  const packages = [`node-llama-cpp@${VERSION}`, `${binary}@${VERSION}`]
  const flags = ['--ignore-scripts', '--omit=optional', '--omit=peer', '--no-audit', '--no-fund']
  const { status, stderr } = spawnSync('npm', ['install', ...flags, ...packages], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (status !== 0) {
    throw new SmolforgeError('network', `npm could not install node-llama-cpp: ${stderr.trim().slice(-400)}`)
  }
  writeFileSync(stamp, '')
  return folder
}
