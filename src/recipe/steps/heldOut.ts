import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { readDocuments } from '../../corpus/index.ts'
import { domainOf } from '../../curate/index.ts'
import { HELD_OUT } from './curation.ts'

interface Candidate {
  /** Place in the file. */
  index: number
  /** Decides the order: of the id alone, so that it says nothing of source or length. */
  rank: string
  bytes: number
}

/**
 * Held-out texts by domain, at most `maxBytes` of each: whole documents in an order drawn from their ids, so that
 * every source of a domain has its share. One that alone is larger is cut, so that a domain of few large documents is
 * measured too. The same bytes for every model and baseline.
 */
export async function heldOutTexts(
  splitFolder: string,
  maxBytes: number,
): Promise<Record<string, { text: string }[]>> {
  const path = join(splitFolder, HELD_OUT)
  const chosen = chooseWithin(await candidatesByDomain(path), maxBytes)
  const texts: Record<string, { text: string }[]> = {}
  let index = 0
  for await (const batch of readDocuments(path)) {
    for (const document of batch) {
      const bytes = chosen.get(index++)
      if (bytes === undefined) continue
      const domain = domainOf(document)
      texts[domain] ??= []
      texts[domain].push({ text: cutBytes(document.text, bytes) })
    }
  }
  return Object.fromEntries(Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1)))
}

async function candidatesByDomain(path: string): Promise<Map<string, Candidate[]>> {
  const byDomain = new Map<string, Candidate[]>()
  let index = 0
  for await (const batch of readDocuments(path)) {
    for (const document of batch) {
      const domain = domainOf(document)
      const rank = createHash('sha256').update(document.id).digest('hex')
      const candidate = { index: index++, rank, bytes: Buffer.byteLength(document.text) }
      const known = byDomain.get(domain)
      if (known === undefined) byDomain.set(domain, [candidate])
      else known.push(candidate)
    }
  }
  return byDomain
}

/** Which documents, by their place in the file, and how many bytes of each. */
function chooseWithin(byDomain: Map<string, Candidate[]>, maxBytes: number): Map<number, number> {
  const chosen = new Map<number, number>()
  for (const candidates of byDomain.values()) {
    let room = maxBytes
    for (const { index, bytes } of candidates.sort((a, b) => (a.rank < b.rank ? -1 : 1))) {
      // A small rest of a document would only measure its beginning.
      if (bytes > room && room < 0.2 * maxBytes) continue
      chosen.set(index, Math.min(bytes, room))
      room -= bytes
      if (room <= 0) break
    }
  }
  return chosen
}

/** The longest beginning of whole characters that fits. */
function cutBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text
  return new TextDecoder().decode(Buffer.from(text).subarray(0, bytes)).replace(/\uFFFD+$/, '')
}
