import { loadAddon } from '../native/addon.ts'
import type { TextBatch } from './textBatches.ts'

/** What this room calls in the native addon: a batch of texts in, typed arrays out, all threads, no thresholds. */
export interface CurateKernels {
  /** The names of all numbers there are. */
  statisticsFields(): string[]
  /**
   * The numbers that the plan asks for, and C4's texts where it asks for them. With `words` of tokens that somebody else
   * found in the texts.
   */
  textStatistics(
    texts: readonly string[],
    plan: StatisticsPlan,
    threads?: number,
    words?: readonly (readonly string[])[],
  ): StatisticsTable
  /** The same of a batch in the addon, while JavaScript does something else. */
  batchStatistics(
    batch: TextBatch,
    plan: StatisticsPlan,
    threads?: number,
    words?: readonly (readonly string[])[],
  ): Promise<StatisticsTable>
  detectLanguages(
    texts: readonly string[],
    maxCharacters: number,
    threads?: number,
  ): Promise<DetectedLanguages>
  /** Two 64-bit words for each text: the XXH3 128-bit hash of its normalised words. */
  textHashes(texts: readonly string[], threads?: number): BigUint64Array
  /** How many words each text has, as shingles and n-grams count them. */
  wordCounts(texts: readonly string[], threads?: number): Uint32Array
  NgramIndex: new (texts: readonly string[], ngram: number, minWords: number) => NgramIndex
  trainLinear(texts: readonly string[], labels: Float64Array, options: TrainLinearOptions): LinearWeights
  scoreLinear(
    texts: readonly string[],
    weights: Float32Array,
    bias: number,
    maxWords: number,
    characters: readonly number[],
    threads?: number,
  ): Float64Array
}

/** Which numbers to get, and how they are counted. */
export interface StatisticsPlan extends CountingOptions {
  /** Places in `statisticsFields()`: of each text as it is. */
  columns: readonly number[]
  /** The same, of what C4 leaves of each text. */
  afterC4: readonly number[]
  /** Give C4's texts back; empty where a stop ended the row. */
  keepTexts: boolean
  /** In order: at the first number out of its limits a row ends, and what it has no number for yet is NaN. */
  stops?: readonly StatisticsStop[]
}

/** Limits on a number that is the last one wanted of a text that breaks them. Columns without a stop always have theirs. */
export interface StatisticsStop {
  /** Place in the row; those of C4's text come last in `stops`. */
  place: number
  min?: number
  max?: number
  /** 0 never ends a row. */
  exceptZero: boolean
}

/** What changes how numbers are counted, as opposed to the limits they are compared to. */
export interface CountingOptions {
  /** Chinese, Japanese, Thai and the like into words by a dictionary; otherwise left whole as spaCy's English rules do. */
  segment: boolean
  stopWords: readonly string[]
  /** In characters. */
  shortLineLength: number
  /** Characters that end a line of prose; datatrove's `TERMINAL_PUNCTUATION` if not given. */
  stopChars?: string
  c4: C4LineOptions
}

export interface C4LineOptions {
  /** Each line a unit, as in the paper; otherwise each sentence. */
  splitParagraph: boolean
  removeCitations: boolean
  filterNoTerminalPunct: boolean
  /** -1 for no limit, as below. */
  minWordsPerLine: number
  maxWordLength: number
  filterJavascript: boolean
  filterPolicy: boolean
}

export interface StatisticsTable {
  /** [texts x (columns + afterC4)]. */
  numbers: Float64Array
  texts: string[]
}

export interface DetectedLanguages {
  /** ISO 639-3, empty where no language was found. */
  codes: string[]
  scores: Float64Array
}

/** Word n-grams of some texts; other texts are looked up in it or marked off against it. */
export interface NgramIndex {
  /** For each text how many n-grams it has; 0 where it has fewer words than `minWords`. */
  sizes(): Uint32Array
  /**
   * For each text that shares an n-gram with an indexed one, the indexed text it shares most of:
   * rows of [text, indexed text, shared n-grams, first character, end character] in UTF-16 units.
   */
  scan(texts: readonly string[], threads?: number): Uint32Array
  /** As `scan` of a batch, on other threads; with `subsequence` the text with the longest common subsequence counts. */
  scanBatch(batch: TextBatch, subsequence: boolean, threads?: number): Promise<BatchHits>
  /** Remembers which of the indexed n-grams occur in these texts. */
  mark(texts: readonly string[], threads?: number): void
  /** For each indexed text the share of its n-grams that `mark` has met. */
  markedShares(): Float64Array
}

/** Columns, one row for each document with a hit, in the order of the batch. */
export interface BatchHits {
  documents: Uint32Array
  indexed: Uint32Array
  shared: Uint32Array
  /** The longest common subsequence around the match as a share of the indexed text's words; 0 where not asked for. */
  subsequence: Float32Array
  passages: string[]
}

export interface TrainLinearOptions {
  buckets: number
  /** The order of the examples, epoch after epoch: whole multiples of the number of examples. */
  order: Uint32Array
  learningRate: number
  logistic: boolean
  maxWords: number
  /** Shortest and longest character n-gram, or empty for none. */
  characters: readonly number[]
  threads?: number
}

export interface LinearWeights {
  weights: Float32Array
  bias: number
}

export const kernels = (): CurateKernels => loadAddon<CurateKernels>()
