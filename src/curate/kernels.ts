import { loadAddon } from '../native/addon.ts'

/** What this room calls in the native addon: a batch of texts in, typed arrays out, all threads, no thresholds. */
export interface CurateKernels {
  statisticsFields(): string[]
  /** [documents x fields], in the order of `statisticsFields()`. */
  textStatistics(texts: readonly string[], threads?: number): Float64Array
  c4Lines(texts: readonly string[], options: C4LineOptions, threads?: number): C4Lines
  detectLanguages(texts: readonly string[], maxCharacters: number, threads?: number): DetectedLanguages
  /** Two 64-bit words for each text: the XXH3 128-bit hash of its normalised words. */
  textHashes(texts: readonly string[], threads?: number): BigUint64Array
  NgramIndex: new (texts: readonly string[], ngram: number, minWords: number) => NgramIndex
  trainLinear(texts: readonly string[], labels: Float64Array, options: TrainLinearOptions): LinearWeights
  scoreLinear(
    texts: readonly string[],
    weights: Float32Array,
    bias: number,
    maxWords: number,
    threads?: number,
  ): Float64Array
}

export interface C4LineOptions {
  removeCitations: boolean
  filterNoTerminalPunct: boolean
  minWordsPerLine: number
  maxWordLength: number
  filterJavascript: boolean
  filterPolicy: boolean
}

export interface C4Lines {
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
  /** Remembers which of the indexed n-grams occur in these texts. */
  mark(texts: readonly string[], threads?: number): void
  /** For each indexed text the share of its n-grams that `mark` has met. */
  markedShares(): Float64Array
}

export interface TrainLinearOptions {
  buckets: number
  /** The order of the examples, epoch after epoch: whole multiples of the number of examples. */
  order: Uint32Array
  learningRate: number
  logistic: boolean
  maxWords: number
  threads?: number
}

export interface LinearWeights {
  weights: Float32Array
  bias: number
}

export const kernels = (): CurateKernels => loadAddon<CurateKernels>()
