import { loadAddon } from '../../native/addon.ts'
import type { TextBatch } from '../textBatches.ts'

/** What makes two documents duplicates. */
export interface Likeness {
  /** All words in the same order, and nothing of what follows. */
  exact?: boolean
  /** Near-duplicates agree on all rows of one band of their MinHash signatures. */
  bands?: number
  rows?: number
  /** Words in a shingle. */
  ngram?: number
  seed?: number
}

export interface DeduplicatorOptions extends Likeness {
  /** Where scratch files go; they have no name and vanish with the process. */
  folder: string
  /** Bytes of keys, of ids and of shingles that stay in memory each before they go to the disk. */
  memoryBytes?: number
  /** Segments of an index of earlier runs, and how many documents those had. */
  segments?: readonly string[]
  first?: number
}

/** FineWeb's: 14 bands of 8 rows on 5-grams. */
export const defaultLikeness: Required<Likeness> = { exact: false, bands: 14, rows: 8, ngram: 5, seed: 1 }

/**
 * Finds duplicates out of core: `add` every batch, then `link`; to verify, `link(true)`, `addShingles` of every batch
 * again, `verify`. Documents are numbered from 0 in the order they came.
 */
export interface Deduplicator {
  add(batch: TextBatch, threads?: number): Promise<void>
  /** Joins documents that share a band; with `verify` these are only candidates. */
  link(verify: boolean, threads?: number): Promise<void>
  addShingles(batch: TextBatch, threads?: number): Promise<void>
  /** Joins candidates whose sets of shingles have this Jaccard similarity or more. */
  verify(threshold: number, threads?: number): Promise<void>
  /** For each document the first of its cluster. */
  roots(): Uint32Array
  /** For each document the best verified similarity to another; 0 where there is none. */
  similarity(): Float32Array
  /** The Jaccard similarities of pairs of verified documents, one after the other. */
  jaccard(pairs: Uint32Array, threads?: number): Float32Array
  counts(): DuplicateCounts
  /** The next lines `{"id","keep","cluster"}`; empty at the end. */
  output(bytes: number): Buffer
  /** Lines `{"id","text"}` of those documents of a batch that stay; every batch comes again, in the order of `add`. */
  keptLines(batch: TextBatch, threads?: number): Promise<Buffer>
  /** The next bytes of a segment for an index; null at the end. */
  segmentPiece(): Buffer | null
}

export interface DuplicateCounts {
  documents: number
  kept: number
  /** Clusters that lost a document. */
  clusters: number
  /** Documents without a word: near-duplicates of nothing. */
  wordless: number
  /** Bytes of scratch files. */
  spilled: number
}

export function makeDeduplicator(options: DeduplicatorOptions): Deduplicator {
  const { memoryBytes = 128 << 20, segments = [], first = 0, ...rest } = definedOnly(options)
  return new (loadAddon<DedupKernels>().Deduplicator)({
    ...defaultLikeness,
    ...rest,
    folder: options.folder,
    memoryBytes,
    segments,
    first,
  })
}

/** The options that were given: a default does not give way to an `undefined`. */
export function definedOnly<Options extends object>(options: Options): Partial<Options> {
  const defined = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(defined) as Partial<Options>
}

interface DedupKernels {
  Deduplicator: new (options: Required<DeduplicatorOptions>) => Deduplicator
}
