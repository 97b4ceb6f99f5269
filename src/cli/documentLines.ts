import { z } from 'zod'
import { readLines } from '../corpus/index.ts'

/** A document of a `--input` file; what else its line says is kept. */
export interface DocumentLine {
  id: string
  text: string
  [field: string]: unknown
}

/** What was read until now, for the last line of a command. */
export interface DocumentCounts {
  documents: number
  /** Of the lines, uncompressed. */
  bytes: number
  /** Lines that are no document. */
  damaged: number
  /** The first of them. */
  firstDamage?: { line: number; reason: string }
}

const documentSchema = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  url: z.string().optional(),
  text: z.string(),
})

/**
 * Reads `{"id", "text"}` lines, plain, gzip or zstd, in batches; without an id the `url` is one, or the number of the line.
 * A line that is no document is counted and passed over.
 */
export async function* readDocumentLines(
  path: string,
  counts: DocumentCounts = { documents: 0, bytes: 0, damaged: 0 },
): AsyncGenerator<DocumentLine[]> {
  for await (const lines of readLines(path)) {
    const batch: DocumentLine[] = []
    for (const { text, line, byteLength, tooLong } of lines) {
      counts.bytes += byteLength + 1
      if (text === '' && !tooLong) continue
      const parsed = documentSchema.safeParse(tooLong ? undefined : jsonOf(text))
      if (parsed.success) {
        const { id, url, text } = parsed.data
        batch.push({ ...parsed.data, id: String(id ?? url ?? line), text })
        continue
      }
      counts.damaged++
      const reason = tooLong ? 'longer than 64 MiB' : 'no JSON object with a "text"'
      counts.firstDamage ??= { line, reason }
    }
    counts.documents += batch.length
    if (batch.length > 0) yield batch
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
