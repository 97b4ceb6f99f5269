import { join } from 'node:path'
import { readDocuments } from '../../corpus/index.ts'
import { domainOf } from '../../curate/index.ts'
import { HELD_OUT } from './curation.ts'

/**
 * Held-out texts by domain, at most `maxBytes` of each: whole documents in their order. One that alone is larger is
 * cut, so that a domain of few large documents is measured too. The same bytes for every model and baseline.
 */
export async function heldOutTexts(
  splitFolder: string,
  maxBytes: number,
): Promise<Record<string, { text: string }[]>> {
  const byDomain: Record<string, { text: string }[]> = {}
  const bytes: Record<string, number> = {}
  for await (const batch of readDocuments(join(splitFolder, HELD_OUT))) {
    for (const document of batch) {
      const domain = domainOf(document)
      const room = maxBytes - (bytes[domain] ?? 0)
      if (room <= 0) continue
      const size = Buffer.byteLength(document.text)
      // A small rest of a document would only measure its beginning.
      if (size > room && (bytes[domain] ?? 0) > 0.8 * maxBytes) continue
      const text = size > room ? cutBytes(document.text, room) : document.text
      byDomain[domain] = [...(byDomain[domain] ?? []), { text }]
      bytes[domain] = (bytes[domain] ?? 0) + Buffer.byteLength(text)
    }
  }
  return Object.fromEntries(Object.entries(byDomain).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The longest beginning of whole characters that fits. */
function cutBytes(text: string, bytes: number): string {
  return new TextDecoder().decode(Buffer.from(text).subarray(0, bytes)).replace(/\uFFFD+$/, '')
}
