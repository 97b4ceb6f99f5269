import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import type { Document, DocumentStream } from '../../corpus/index.ts'
import { type Criterion, type LabelledText, seedLabelsFor, textHashOf } from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { readJsonLines } from '../../files/jsonl.ts'

export interface LabelSource {
  criterion: Criterion
  /** Lines `{"text", "label"}`, or what `smolforge label` wrote: `{"id", "label", "textHash"}` of these documents. */
  labels?: string
  /** Without labels: so many documents, labelled by counted signs. */
  seeds: number
}

/** A label, its text and what group of documents it belongs to. */
export interface GroupedExample extends LabelledText {
  group: string
}

/**
 * The examples that a classifier learns from: the labels of a file, found among the documents where they come without
 * text, or those that counted signs give to documents drawn by a hash of their ids, the same in every run.
 *
 * @throws SmolforgeError `input` when a label file has no label of these documents, or a line is none.
 */
export async function labelledExamples(
  documents: () => DocumentStream,
  source: LabelSource,
  baseDir: string,
  groupOf: (document: Document) => string,
): Promise<GroupedExample[]> {
  if (source.labels === undefined) return seedExamples(documents(), source, groupOf)
  const path = resolve(baseDir, source.labels)
  const { examples, byHash } = await readLabelFile(path)
  if (byHash.size > 0) {
    for await (const batch of documents()) {
      for (const document of batch) {
        const label = byHash.get(textHashOf(document.text))
        if (label !== undefined) examples.push({ text: document.text, label, group: groupOf(document) })
      }
    }
  }
  if (examples.length > 0) return examples
  throw new SmolforgeError('input', 'No label belongs to a text of the input', {
    place: { file: path },
    hint: 'Labels of `smolforge label` fit the very texts that were judged: label the documents of this run.',
  })
}

async function readLabelFile(
  path: string,
): Promise<{ examples: GroupedExample[]; byHash: Map<string, number> }> {
  const examples: GroupedExample[] = []
  const byHash = new Map<string, number>()
  for await (const { line, value } of readJsonLines(path)) {
    const { text, label, textHash, group, language } = value as Record<string, unknown>
    // A judge that gave no score says null.
    if (label === null) continue
    if (typeof label !== 'number' || !Number.isFinite(label)) throw notALabel(path, line)
    if (typeof text === 'string') examples.push({ text, label, group: String(group ?? language ?? '') })
    else if (typeof textHash === 'string') byHash.set(textHash, label)
    else throw notALabel(path, line)
  }
  return { examples, byHash }
}

const notALabel = (file: string, line: number) =>
  new SmolforgeError('input', 'A label is a line with a number "label", and "text" or "textHash"', {
    place: { file, line },
  })

async function seedExamples(
  documents: DocumentStream,
  { criterion, seeds }: LabelSource,
  groupOf: (document: Document) => string,
): Promise<GroupedExample[]> {
  // The documents with the smallest hashes of each group: drawn evenly, whatever their order.
  const drawn = new Map<string, { order: string; document: Document }[]>()
  for await (const batch of documents) {
    for (const document of batch) {
      const group = groupOf(document)
      const some = drawn.get(group) ?? []
      drawn.set(group, some)
      some.push({ order: createHash('sha256').update(document.id).digest('hex').slice(0, 16), document })
      if (some.length >= 2 * seeds) shrink(some, seeds)
    }
  }
  return [...drawn].flatMap(([group, some]) => {
    shrink(some, seeds)
    const texts = some.map(({ document: { text } }) => text)
    return seedLabelsFor(criterion, texts).map((label, i) => ({ text: texts[i], label, group }))
  })
}

function shrink(some: { order: string }[], most: number): void {
  some.sort((a, b) => (a.order < b.order ? -1 : 1))
  some.splice(most)
}
