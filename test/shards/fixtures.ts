import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Random } from '../../src/random/random.ts'
import { type ShardSet, type TokenizedDocument, writeShards } from '../../src/shards/index.ts'

export const END = 0

export async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'smolforge-shards-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Documents of 0 to `longest` tokens below `vocabSize`, without the end token. */
export function randomDocuments(
  random: Random,
  count: number,
  longest: number,
  vocabSize: number,
): TokenizedDocument[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `s:${i}/ö\n"${'x'.repeat(i % 5)}`,
    tokens: Uint32Array.from({ length: random.int(longest + 1) }, () => 1 + random.int(vocabSize - 1)),
  }))
}

export async function* inBatches<T>(items: readonly T[], size: number): AsyncGenerator<readonly T[]> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size)
}

/** A set whose documents have the given lengths, end token included; token ids tell document and place apart. */
export async function setOfLengths(
  dir: string,
  domain: string,
  lengths: readonly number[],
): Promise<ShardSet> {
  let next = 1
  const documents = lengths.map((length, i) => ({
    id: `${domain}:${i}`,
    tokens: Uint32Array.from({ length: length - 1 }, () => next++),
  }))
  return writeShards(join(dir, domain), inBatches(documents, 100), {
    domain,
    vocabSize: 1 << 20,
    endOfTextId: END,
    shardTokens: 500,
  })
}
