import { statSync } from 'node:fs'
import { fileError, SmolforgeError } from '../errors.ts'
import { fastTextKernels, type NativeFastText } from './fastTextKernels.ts'

export interface LabelProbability {
  /** As in the model: `__label__en`. */
  label: string
  /** 0 to 1, and 1e-5 above it: fastText adds that much to every probability that it tells, and so do we. */
  probability: number
}

export interface PredictOptions {
  /** So many labels at most. */
  k?: number
  /** Labels with a lower probability are left out. */
  threshold?: number
  threads?: number
}

/**
 * A supervised fastText model (`.bin`, or `.ftz` with quantised vectors) run by the addon: the numbers of fastText
 * 0.9.2 for every loss (softmax, hierarchical softmax, negative sampling, one-versus-all), word and character n-grams.
 */
export class FastTextModel {
  readonly labels: readonly string[]
  readonly dimensions: number
  readonly words: number
  readonly loss: string
  readonly quantised: boolean
  readonly #native: NativeFastText

  private constructor(native: NativeFastText) {
    const { dimensions, words, loss, quantised } = native.description()
    this.labels = native.labels()
    this.dimensions = dimensions
    this.words = words
    this.loss = loss
    this.quantised = quantised
    this.#native = native
  }

  /**
   * Reads a model into memory, every length and index in it checked.
   *
   * @throws SmolforgeError `input` when the file is no model for classification or does not add up, with the byte.
   */
  static load(path: string): FastTextModel {
    try {
      statSync(path)
    } catch (error) {
      throw fileError(error, path)
    }
    try {
      return new FastTextModel(new (fastTextKernels().FastTextModel)(path))
    } catch (cause) {
      if (cause instanceof SmolforgeError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new SmolforgeError('input', `Not a fastText model that can be used: ${reason}`, {
        place: { file: path },
        hint: 'A .bin or .ftz file of `fasttext supervised` or `fasttext quantize` is wanted.',
        cause,
      })
    }
  }

  /** The likeliest labels of each text, likeliest first. Line breaks count as spaces. */
  async predict(
    texts: readonly string[],
    { k = 1, threshold = 0, threads }: PredictOptions = {},
  ): Promise<LabelProbability[][]> {
    const { counts, labels, probabilities } = await this.#native.predict(texts, k, threshold, threads)
    let next = 0
    return Array.from(counts, (count) =>
      Array.from({ length: count }, () => {
        const at = next++
        return { label: this.labels[labels[at]], probability: probabilities[at] }
      }),
    )
  }
}
