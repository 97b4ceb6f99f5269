import { open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { z } from 'zod'
import { type Damage, readSource } from '../../corpus/index.ts'
import { fileError, SmolforgeError } from '../../errors.ts'
import { readJsonLines } from '../../files/jsonl.ts'
import { readTextBatches, type TextBatch, textBatch } from '../textBatches.ts'

/** Texts in the addon with what an output says of them. */
export interface InputBatch {
  native: TextBatch
  /** Each document's words, where somebody else found them. */
  words?: readonly (readonly string[])[]
  /** Each document's address, or its source where it has none. */
  origins(): readonly (string | null)[]
}

/** Reads JSON lines (plain, gzip, zstd) or Parquet, as the first bytes say. */
export async function* readBatches(
  path: string,
  options: { threads?: number; words?: string; onDamage: (damage: Damage) => void },
): AsyncGenerator<InputBatch> {
  if (options.words !== undefined) {
    yield* readWithWords(path, options.words)
    return
  }
  if (!(await isParquet(path))) {
    for await (const native of readTextBatches(path, options)) {
      yield { native, origins: () => native.urls() }
    }
    return
  }
  const source = { name: basename(path), domain: 'text', licence: 'unknown', path: basename(path) }
  const folder = dirname(path)
  const documents = readSource(source, {
    cacheDir: folder,
    baseDir: folder,
    keepRecords: true,
    onDamage: options.onDamage,
    onSkip: (reason) => options.onDamage({ file: path, byteOffset: 0, bytesLost: 0, reason }),
  })
  for await (const batch of documents) {
    yield {
      native: textBatch(
        batch.map(({ text }) => text),
        batch.map(({ id }) => JSON.stringify(id)),
      ),
      origins: () => batch.map(({ url, source }) => url ?? source),
    }
  }
}

/** Plain JSON lines with the words in a field of their own: a list of strings. */
async function* readWithWords(path: string, field: string): AsyncGenerator<InputBatch> {
  const schema = z.looseObject({ text: z.string() })
  const listOfWords = z.array(z.string())
  let batch: { id: unknown; text: string; words: string[]; origin: string | null }[] = []
  const take = (): InputBatch => {
    const documents = batch
    batch = []
    return {
      native: textBatch(
        documents.map(({ text }) => text),
        documents.map(({ id }) => JSON.stringify(id)),
      ),
      words: documents.map(({ words }) => words),
      origins: () => documents.map(({ origin }) => origin),
    }
  }
  for await (const { line, value } of readJsonLines(path)) {
    const parsed = schema.safeParse(value)
    const words = listOfWords.safeParse(parsed.data?.[field])
    if (!parsed.success || !words.success) {
      const place = { file: path, line }
      throw new SmolforgeError('input', `Not a line {"id","text","${field}": [words]}`, { place })
    }
    const { text, id = line, url } = parsed.data
    const origin = typeof url === 'string' ? url : null
    batch.push({ id, text, words: words.data, origin })
    if (batch.length >= DOCUMENTS_AT_ONCE) yield take()
  }
  if (batch.length > 0) yield take()
}

const DOCUMENTS_AT_ONCE = 1000

async function isParquet(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'r')
    try {
      const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0)
      return buffer.toString('latin1') === 'PAR1'
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fileError(error, path)
  }
}
