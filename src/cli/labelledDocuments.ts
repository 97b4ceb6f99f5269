import { type LabelledText, readLabelLines, textHashOf } from '../curate/index.ts'
import { SmolforgeError } from '../errors.ts'
import { type DocumentCounts, readDocumentLines } from './documentLines.ts'

export interface LabelledDocuments {
  examples: LabelledText[]
  /** Labels of documents that are not there, or have another text by now. */
  withoutText: number
  /** Documents whose text came before: one of them counts, or held-out examples would be known ones. */
  repeated: number
}

/**
 * Labels with their texts: from the lines themselves, or joined with documents by `id`.
 *
 * @throws SmolforgeError `input` when not one label has a text.
 */
export async function readLabelledDocuments(
  labels: string,
  input: string | undefined,
  counts: DocumentCounts,
): Promise<LabelledDocuments> {
  const result: LabelledDocuments = { examples: [], withoutText: 0, repeated: 0 }
  const seen = new Set<string>()
  const take = (text: string, label: number) => {
    const hash = textHashOf(text)
    if (seen.has(hash)) result.repeated++
    else result.examples.push({ text, label })
    seen.add(hash)
  }
  const byId = new Map<string, { label: number; textHash?: string }>()
  for await (const { text, id, label, textHash } of readLabelLines(labels)) {
    if (text !== undefined) take(text, label)
    else if (id !== undefined) byId.set(id, { label, textHash })
  }
  if (byId.size > 0 && input === undefined) {
    throw new SmolforgeError('usage', 'The labels have no text: --input with the documents is missing', {
      place: { file: labels },
    })
  }
  if (input !== undefined && byId.size > 0) {
    for await (const batch of readDocumentLines(input, counts)) {
      for (const { id, text } of batch) {
        const found = byId.get(id)
        if (found === undefined) continue
        byId.delete(id)
        if (found.textHash !== undefined && found.textHash !== textHashOf(text)) result.withoutText++
        else take(text, found.label)
      }
    }
    result.withoutText += byId.size
  }
  if (result.examples.length === 0) {
    throw new SmolforgeError('input', 'No label belongs to a document', {
      place: { file: labels },
      hint: 'Labels are joined with documents by "id"; a "textHash" must be that of the text.',
    })
  }
  return result
}
