import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const fixtureFolder = fileURLToPath(new URL('../fixtures/tokenizer', import.meta.url))
export const sharedReference = fileURLToPath(new URL('../../../shared/reference', import.meta.url))

export async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'smolforge-tokenizer-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export async function jsonLines<T>(path: string): Promise<T[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as T)
}

export async function* oneBatch(texts: readonly string[]): AsyncGenerator<readonly string[]> {
  yield texts
}
