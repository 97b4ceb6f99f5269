import { SmolforgeError } from '../errors.ts'
import { type Tensor, writeRows, zeros } from '../tensor/index.ts'
import { headDim, type LlamaConfig } from './config.ts'

/**
 * Keys and values of the positions seen so far, for each layer [B, capacity, kvHeads * headDim]. Make it outside of
 * `inference`, and `free` it when the text is done.
 */
export class KeyValueCache {
  readonly capacity: number
  readonly #keys: Tensor[]
  readonly #values: Tensor[]
  #length = 0

  constructor(config: LlamaConfig, batchSize: number, capacity: number) {
    this.capacity = capacity
    const shape = [batchSize, capacity, config.numKeyValueHeads * headDim(config)]
    const layers = () => Array.from({ length: config.numHiddenLayers }, () => zeros(shape))
    this.#keys = layers()
    this.#values = layers()
  }

  /** Positions that are in it. */
  get length(): number {
    return this.#length
  }

  /**
   * Puts the keys and values of the next positions of one layer in, the last columns of qkv[B, T, width]; `advance`
   * follows once for all layers.
   */
  write(layer: number, qkv: Tensor): { keys: Tensor; values: Tensor; keyLength: number } {
    const [, time, width] = qkv.shape
    const keyLength = this.#length + time
    if (keyLength > this.capacity) {
      throw new SmolforgeError('usage', `The cache has room for ${this.capacity} positions, not ${keyLength}`)
    }
    const keys = this.#keys[layer]
    const values = this.#values[layer]
    const [, , kvWidth] = keys.shape
    writeRows(keys, qkv, this.#length, width - 2 * kvWidth)
    writeRows(values, qkv, this.#length, width - kvWidth)
    return { keys, values, keyLength }
  }

  advance(positions: number): void {
    this.#length += positions
  }

  free(): void {
    for (const each of [...this.#keys, ...this.#values]) each.free()
  }
}
