import type { Document, DocumentStream } from '../../src/corpus/index.ts'

/** A document for a test; the id is its place unless one is given. */
export function document(text: string, given: Partial<Document> = {}): Document {
  return { id: `d${counter++}`, text, source: 'test', licence: 'Apache-2.0', scores: {}, meta: {}, ...given }
}

export async function* streamOf(documents: readonly Document[], batchSize = 7): DocumentStream {
  for (let i = 0; i < documents.length; i += batchSize) yield documents.slice(i, i + batchSize)
}

export async function collect(stream: DocumentStream): Promise<Document[]> {
  const documents: Document[] = []
  for await (const batch of stream) documents.push(...batch)
  return documents
}

/** Words that no two numbers share: `numbered(0, 3)` is "w0x w1x w2x". */
export function numbered(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `w${from + i}x`).join(' ')
}

let counter = 0
