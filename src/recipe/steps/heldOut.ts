import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { readDocuments } from '../../corpus/index.ts'
import { domainOf } from '../../curate/index.ts'
import { HELD_OUT } from './curation.ts'

interface Candidate {
  /** Place in the file. */
  index: number
  /** In [0, 1), of the id alone: it decides the order and says nothing of source or length. */
  rank: number
  bytes: number
}

interface Excerpt {
  rank: number
  bytes: number
}

/** The fewest documents that fill a domain's bytes, where it has so many: one odd file must not speak for all. */
const FEWEST_DOCUMENTS = 12

/**
 * Held-out texts by domain, at most `maxBytes` of each, from documents in an order drawn from their ids, so that every
 * source of a domain has its share. Of a long document one stretch of lines is taken. The same bytes for every model
 * and baseline.
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
      const excerpt = chosen.get(index++)
      if (excerpt === undefined) continue
      const domain = domainOf(document)
      texts[domain] ??= []
      texts[domain].push({ text: stretchOf(document.text, excerpt) })
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
      const hash = createHash('sha256').update(document.id).digest()
      const candidate = {
        index: index++,
        rank: hash.readUInt32BE() / 2 ** 32,
        bytes: Buffer.byteLength(document.text),
      }
      const known = byDomain.get(domain)
      if (known === undefined) byDomain.set(domain, [candidate])
      else known.push(candidate)
    }
  }
  return byDomain
}

/** Which documents, by their place in the file, and how many bytes of each. */
function chooseWithin(byDomain: Map<string, Candidate[]>, maxBytes: number): Map<number, Excerpt> {
  const chosen = new Map<number, Excerpt>()
  for (const candidates of byDomain.values()) {
    candidates.sort((a, b) => a.rank - b.rank || a.index - b.index)
    const most = mostOfEach(candidates, maxBytes)
    let room = maxBytes
    for (const { index, rank, bytes } of candidates) {
      const taken = Math.min(bytes, most, room)
      if (taken > 0) chosen.set(index, { rank, bytes: taken })
      room -= taken
    }
  }
  return chosen
}

/** A twelfth of all bytes, more where there are too few documents to fill them so. */
function mostOfEach(candidates: readonly Candidate[], maxBytes: number): number {
  let room = maxBytes
  let left = candidates.length
  for (const { bytes } of candidates.toSorted((a, b) => a.bytes - b.bytes)) {
    const even = room / left
    if (bytes > even) return Math.ceil(Math.max(even, maxBytes / FEWEST_DOCUMENTS))
    room -= bytes
    left--
  }
  return Number.POSITIVE_INFINITY
}

/** A stretch that begins at a line's beginning where there is one, at a place drawn from the id. */
function stretchOf(text: string, { rank, bytes }: Excerpt): string {
  const all = Buffer.from(text)
  if (all.length <= bytes) return text
  // The rank was used up by the choice, its low digits were not.
  const drawn = Math.floor(((rank * 65_536) % 1) * (all.length - bytes))
  const line = drawn === 0 ? 0 : all.indexOf(10, drawn - 1) + 1
  const start = line > 0 && line <= all.length - bytes ? line : drawn
  return new TextDecoder().decode(all.subarray(start, start + bytes)).replace(/^\uFFFD+|\uFFFD+$/g, '')
}
