import { loadAddon } from '../native/addon.ts'
import type { SplitStep } from './splitting.ts'

/** Many UTF-8 texts end to end; `ends[i]` is the byte after text `i`. */
export interface PackedTexts {
  bytes: Uint8Array
  ends: Uint32Array
}

/** Texts that live in the addon, such as a `TextBatch` of the curate room. */
export interface NativeTexts {
  readonly length: number
  /** UTF-8 bytes of text. */
  readonly bytes: number
}

export interface EncodedBatch {
  /** Ids of all texts end to end. */
  ids: Uint32Array
  /** `ends[i]` is the place after the last id of text `i`. */
  ends: Uint32Array
}

export interface NativeEncoder {
  /** Uses all threads. */
  encodeBatch(bytes: Uint8Array, ends: Uint32Array): EncodedBatch
  encodeTexts(batch: NativeTexts, threads?: number): EncodedBatch
  /** The bytes of a shard, 2 or 4 for each id and the end token behind each text, and how many each text has. */
  packTexts(
    batch: NativeTexts,
    endOfText: number,
    bytesPerToken: 2 | 4,
    threads?: number,
  ): Promise<{ tokens: Uint8Array; counts: Uint32Array }>
  /**
   * For each group documents, bytes, tokens, words, words whose tokens' places are known, those of them split; and how
   * often each token comes. `groups` has the group of each text.
   */
  fertility(
    batch: NativeTexts,
    groups: Uint32Array,
    groupCount: number,
    threads?: number,
  ): { groups: Float64Array; tokenCounts: Float64Array }
  /** The bytes of the tokens end to end; throws on an id outside the vocabulary. */
  decode(ids: Uint32Array): Uint8Array
}

export interface NativeTrainer {
  /** Counts the words of the texts, on all threads. */
  add(bytes: Uint8Array, ends: Uint32Array): void
  addTexts(batch: NativeTexts, threads?: number): Promise<void>
  /** Fixes the words; merging can begin. */
  begin(vocabSize: number, specialBytes: Uint8Array, specialEnds: Uint32Array, threads?: number): void
  /** Does up to `merges` merges; the size of the vocabulary now, and whether there is nothing left to do. */
  advance(merges: number): { vocabSize: number; finished: boolean }
  /** Tokens by id as bytes end to end, merges as (left, right, result) by rank. */
  result(): { tokenBytes: Uint8Array; tokenEnds: Uint32Array; merges: Uint32Array }
}

interface BpeKernels {
  BpeEncoder: new (
    tokenBytes: Uint8Array,
    tokenEnds: Uint32Array,
    /** (left, right, result) ids, by rank */
    merges: Uint32Array,
    /** the id of each of the 256 bytes, -1 where the vocabulary has none */
    byteIds: Int32Array,
    /** (id, flags) of tokens that are looked for in the text: 1 normalized, 2 lstrip, 4 rstrip, 8 singleWord */
    addedTokens: Uint32Array,
    splitting: Splitting,
    /** tokens that a word becomes whatever the merges say */
    wholeWords: Uint32Array,
  ) => NativeEncoder
  BpeTrainer: new (splitting: Splitting) => NativeTrainer
  BpeLines: new (
    encoder: NativeEncoder,
    path: string,
    maxLineBytes: number,
    before: Uint32Array,
    behind: Uint32Array,
  ) => NativeLines
}

/** A file of JSON lines with the ids of their texts put in. */
export interface NativeLines {
  next(
    bytes: number,
    threads?: number,
  ): Promise<{
    /** Missing at the end of the file and where a line is bad. */
    output?: Uint8Array
    lines: number
    tokens: number
    textBytes: number
    /** Bytes of the file taken so far. */
    consumed: number
    /** The first line that is no object with a text; 0 where the file's compression is broken. */
    badLine?: number
    reason?: string
  }>
}

interface Splitting {
  steps: readonly SplitStep[]
  nfc: boolean
}

export function bpeKernels(): BpeKernels {
  return loadAddon<BpeKernels>()
}

/** Texts as UTF-8 end to end. A lone surrogate becomes U+FFFD, as everywhere where JavaScript writes UTF-8. */
export function packTexts(texts: readonly string[]): PackedTexts {
  const ends = new Uint32Array(texts.length)
  let total = 0
  for (let i = 0; i < texts.length; i++) {
    total += Buffer.byteLength(texts[i])
    ends[i] = total
  }
  const bytes = Buffer.allocUnsafe(total)
  for (let i = 0; i < texts.length; i++) bytes.write(texts[i], i === 0 ? 0 : ends[i - 1], 'utf8')
  return { bytes, ends }
}

const PACK_LIMIT_BYTES = 1 << 26

/** Consecutive slices of the texts, each of at most about 64 MiB of UTF-8, so that no buffer grows past its limits. */
export function* sliceTexts(texts: readonly string[]): Generator<readonly string[]> {
  let from = 0
  let units = 0
  for (let i = 0; i < texts.length; i++) {
    const next = texts[i].length * 3
    if (i > from && units + next > PACK_LIMIT_BYTES) {
      yield texts.slice(from, i)
      from = i
      units = 0
    }
    units += next
  }
  if (from < texts.length) yield from === 0 ? texts : texts.slice(from)
}
