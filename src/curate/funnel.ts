import type { Document } from '../corpus/index.ts'
import { SmolforgeError } from '../errors.ts'
import type { Drop } from './verdict.ts'

/** Documents and bytes (UTF-8 of their text) that went in and came out. */
export interface FunnelCounts {
  documentsIn: number
  documentsOut: number
  bytesIn: number
  bytesOut: number
}

export interface DropExample {
  id: string
  source: string
  value: number
  threshold?: number
  excerpt: string
}

export interface DropCounts {
  documents: number
  /** Bytes of the dropped documents as they came in. */
  bytes: number
  /** At most five, the first that the rule dropped. */
  examples: DropExample[]
}

/**
 * What a step did to a stream of documents. The sums always match:
 * `documentsIn = documentsOut + dropped` and `bytesIn = bytesOut + dropped + edited`, in all and by source.
 */
export interface Funnel extends FunnelCounts {
  step: string
  bySource: Record<string, FunnelCounts>
  dropped: Record<string, DropCounts>
  /** Bytes that rules cut out of documents which stayed, by rule. */
  edited: Record<string, { documents: number; bytes: number }>
}

const EXAMPLES_PER_RULE = 5
const EXCERPT_CHARACTERS = 300

/** Counts documents into a funnel as a step sees them, and refuses to give a funnel whose sums do not match. */
export class FunnelCounter {
  readonly #step: string
  readonly #total = emptyCounts()
  readonly #bySource = new Map<
    string,
    FunnelCounts & { dropped: number; droppedBytes: number; cut: number }
  >()
  readonly #dropped = new Map<string, DropCounts>()
  readonly #edited = new Map<string, { documents: number; bytes: number }>()

  constructor(step: string) {
    this.#step = step
  }

  /** A document arrives; the answer is its size, to be given back to `drop`. */
  arrive(document: Document): number {
    const bytes = Buffer.byteLength(document.text)
    const source = this.#source(document.source)
    source.documentsIn++
    source.bytesIn += bytes
    this.#total.documentsIn++
    this.#total.bytesIn += bytes
    return bytes
  }

  leave(document: Document): void {
    const bytes = Buffer.byteLength(document.text)
    const source = this.#source(document.source)
    source.documentsOut++
    source.bytesOut += bytes
    this.#total.documentsOut++
    this.#total.bytesOut += bytes
  }

  /** `bytesIn` is what `arrive` said: a document that was edited before it was dropped counts whole. */
  drop(document: Document, verdict: Drop, bytesIn: number): void {
    const source = this.#source(document.source)
    source.dropped++
    source.droppedBytes += bytesIn
    let counts = this.#dropped.get(verdict.rule)
    if (counts === undefined) {
      counts = { documents: 0, bytes: 0, examples: [] }
      this.#dropped.set(verdict.rule, counts)
    }
    counts.documents++
    counts.bytes += bytesIn
    if (counts.examples.length >= EXAMPLES_PER_RULE) return
    const { value, threshold } = verdict
    const excerpt = excerptOf(document.text, EXCERPT_CHARACTERS)
    counts.examples.push({ id: document.id, source: document.source, value, threshold, excerpt })
  }

  /** `cuts` holds, by rule, how many bytes each edit took from a document that left. */
  edit(document: Document, cuts: ReadonlyMap<string, number>): void {
    for (const [rule, bytes] of cuts) {
      const counts = this.#edited.get(rule) ?? { documents: 0, bytes: 0 }
      counts.documents++
      counts.bytes += bytes
      this.#edited.set(rule, counts)
      this.#source(document.source).cut += bytes
    }
  }

  /** @throws SmolforgeError `internal` when a document is not accounted for. Call it after the stream has ended. */
  funnel(): Funnel {
    const dropped = sum(this.#dropped.values())
    const edited = sum(this.#edited.values())
    this.#check('all sources', this.#total, dropped.documents, dropped.bytes, edited.bytes)
    const bySource: Record<string, FunnelCounts> = {}
    for (const [name, { dropped, droppedBytes, cut, ...counts }] of this.#bySource) {
      this.#check(name, counts, dropped, droppedBytes, cut)
      bySource[name] = counts
    }
    return structuredClone({
      step: this.#step,
      ...this.#total,
      bySource,
      dropped: Object.fromEntries(this.#dropped),
      edited: Object.fromEntries(this.#edited),
    })
  }

  #check(what: string, counts: FunnelCounts, dropped: number, droppedBytes: number, cut: number): void {
    const documents = counts.documentsIn - counts.documentsOut - dropped
    const bytes = counts.bytesIn - counts.bytesOut - droppedBytes - cut
    if (documents === 0 && bytes === 0) return
    throw new SmolforgeError(
      'internal',
      `The step ${this.#step} lost account of ${documents} documents and ${bytes} bytes (${what})`,
    )
  }

  #source(name: string) {
    let counts = this.#bySource.get(name)
    if (counts === undefined) {
      counts = { ...emptyCounts(), dropped: 0, droppedBytes: 0, cut: 0 }
      this.#bySource.set(name, counts)
    }
    return counts
  }
}

/** The first characters of a text, cut between code points and never inside one. */
export function excerptOf(text: string, characters: number): string {
  if (text.length <= characters) return text
  const last = text.charCodeAt(characters - 1)
  const insidePair = last >= 0xd800 && last <= 0xdbff
  return text.slice(0, insidePair ? characters - 1 : characters)
}

function emptyCounts(): FunnelCounts {
  return { documentsIn: 0, documentsOut: 0, bytesIn: 0, bytesOut: 0 }
}

function sum(counts: Iterable<{ documents: number; bytes: number }>): { documents: number; bytes: number } {
  const total = { documents: 0, bytes: 0 }
  for (const { documents, bytes } of counts) {
    total.documents += documents
    total.bytes += bytes
  }
  return total
}
