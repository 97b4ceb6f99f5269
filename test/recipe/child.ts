import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const main = join(root, 'dist/cli/main.js')
export const tinyRecipe = join(root, 'recipes/tiny.yaml')

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Starts the compiled command line as a user does. */
export function startSmolforge(args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  if (!existsSync(main)) throw new Error('dist/ is not built: run npm run build:ts (npm test does)')
  return spawn(process.execPath, [main, ...args], { stdio: 'pipe', ...options })
}

/** Runs the compiled command line to its end. */
export function smolforge(
  args: readonly string[],
  options: SpawnOptions & { input?: string } = {},
): Promise<Ended> {
  const child = startSmolforge(args, options)
  child.stdin?.on('error', () => {})
  child.stdin?.end(options.input ?? '')
  return ended(child)
}

export function ended(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    texts.stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    texts.stderr += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, ...texts }))
  })
}

export const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** A folder that is gone after the tests of the file. */
export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'smolforge-'))
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return folder
}
