import { z } from 'zod'
import { readLines } from '../corpus/index.ts'
import { SmolforgeError } from '../errors.ts'
import type { LabelledText } from './classifierEvaluation.ts'

/** One line of a file of labels. */
export interface LabelLine {
  label: number
  text?: string
  id?: string
  /** See `textHashOf`. */
  textHash?: string
}

/**
 * Reads labels made by a person or a model: JSON lines of `{"text": ..., "label": ...}`.
 *
 * @throws SmolforgeError `input` at the first line that is not that.
 */
export async function readLabels(path: string): Promise<LabelledText[]> {
  const examples: LabelledText[] = []
  for await (const { text, label, line } of readLabelLines(path)) {
    if (text === undefined) throw wrongLine(path, line)
    examples.push({ text, label })
  }
  return examples
}

/**
 * The lines of a file of labels, plain, gzip or zstd: a number `label` (or `score`, as a classifier writes it) with the `text`
 * itself, or with the `id` of a document. Lines whose label is null, of documents that a judge failed at, are passed over.
 *
 * @throws SmolforgeError `input` at the first line that is not that.
 */
export async function* readLabelLines(path: string): AsyncGenerator<LabelLine & { line: number }> {
  for await (const lines of readLines(path)) {
    for (const { text, line } of lines) {
      if (text.trim() === '') continue
      const parsed = lineSchema.safeParse(jsonOf(text))
      const { label: given, score, id, ...rest } = parsed.data ?? {}
      const label = given === undefined ? score : given
      if (label === null) continue
      if (label === undefined || (rest.text === undefined && id === undefined)) throw wrongLine(path, line)
      const { text: own, textHash } = rest
      yield { line, label, text: own, textHash, id: id === undefined ? undefined : String(id) }
    }
  }
}

const lineSchema = z.looseObject({
  text: z.string().optional(),
  id: z.union([z.string(), z.number()]).optional(),
  label: z.number().nullish(),
  score: z.number().optional(),
  textHash: z.string().optional(),
})

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    return undefined
  }
}

function wrongLine(file: string, line: number): SmolforgeError {
  return new SmolforgeError('input', 'A label is a line with "text" and a number "label"', {
    place: { file, line },
    hint: 'A line without its text is joined by its "id" with the documents: smolforge classifier train --input.',
  })
}
