import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import type { ReadOptions } from '../../src/corpus/index.ts'
import { type Damage, type Document, readSource, sourceSchema } from '../../src/corpus/index.ts'

export const fixtures = fileURLToPath(new URL('../fixtures/corpus/', import.meta.url))

/** A folder that is gone when the test is over. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'smolforge-corpus-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Everything that a source gives. */
export async function readAll(
  source: Record<string, unknown>,
  options: Partial<ReadOptions> = {},
): Promise<{ documents: Document[]; damages: Damage[]; skipped: string[] }> {
  const damages: Damage[] = []
  const skipped: string[] = []
  const documents: Document[] = []
  const stream = readSource(sourceSchema.parse({ domain: 'test', licence: 'Apache-2.0', ...source }), {
    cacheDir: '/nowhere',
    baseDir: fixtures,
    onDamage: (damage) => damages.push(damage),
    onSkip: (reason) => skipped.push(reason),
    ...options,
  })
  for await (const batch of stream) documents.push(...batch)
  return { documents, damages, skipped }
}
