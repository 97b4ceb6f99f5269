import type { LossBatch } from '../../src/model/index.ts'
import { Random } from '../../src/random/random.ts'

/** Batches in which the next token follows from the one before, so that something can be learned. */
export class PatternSource {
  readonly #batchSize: number
  readonly #sequenceLength: number
  #random: Random
  weights: Record<string, number> = {}

  constructor(seed: number, batchSize = 4, sequenceLength = 16) {
    this.#random = new Random(seed)
    this.#batchSize = batchSize
    this.#sequenceLength = sequenceLength
  }

  next(): LossBatch {
    const size = this.#batchSize * this.#sequenceLength
    const tokens = Int32Array.from({ length: size }, () => this.#random.int(40))
    const targets = tokens.map((token, i) => (i % 5 === 4 ? -1 : (token * 7 + 3) % 40))
    return { batchSize: this.#batchSize, sequenceLength: this.#sequenceLength, tokens, targets }
  }

  state() {
    return { random: this.#random.state, weights: this.weights }
  }

  restore(state: ReturnType<PatternSource['state']>) {
    this.#random = new Random(state.random)
    this.weights = state.weights
  }

  setWeights(weights: Record<string, number>) {
    this.weights = weights
  }
}
