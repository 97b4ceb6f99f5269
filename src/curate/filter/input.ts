import { z } from 'zod'
import type { Damage } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { readJsonLines } from '../../files/jsonl.ts'
import { readTextBatches } from '../readTextBatches.ts'
import { type TextBatch, textBatch } from '../textBatches.ts'

/** Texts in the addon with what an output says of them. */
export interface InputBatch {
  native: TextBatch
  /** Each document's words, where somebody else found them. */
  words?: readonly (readonly string[])[]
  /** Each document's address. */
  origins(): readonly (string | null)[]
}

/** Reads what `readTextBatches` reads, or JSON lines that have their words with them. */
export async function* readBatches(
  path: string,
  options: { threads?: number; words?: string; onDamage: (damage: Damage) => void },
): AsyncGenerator<InputBatch> {
  if (options.words !== undefined) {
    yield* readWithWords(path, options.words)
    return
  }
  for await (const native of readTextBatches(path, options)) {
    yield { native, origins: () => native.urls() }
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
