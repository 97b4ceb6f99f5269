import { SmolforgeError } from '../errors.ts'
import { activationType, type Tensor, writeRows, zeros } from '../tensor/index.ts'
import { headDim, type LlamaConfig } from './config.ts'

/** Positions that a cache begins with; it doubles when they are full. */
const FIRST_POSITIONS = 256

/**
 * Keys and values of the positions seen so far, for each layer [B, room, kvHeads * headDim], stored as the model makes
 * them: bf16 where that is the engine's precision. It takes at most `capacity` positions, and memory for about as many as
 * it has. Make it outside of `inference`, and `free` it when the text is done.
 */
export class KeyValueCache {
  readonly capacity: number
  readonly #width: number
  readonly #batchSize: number
  readonly #layers: ({ keys: Tensor; values: Tensor } | undefined)[]
  #room = 0
  #length = 0

  constructor(config: LlamaConfig, batchSize: number, capacity: number) {
    this.capacity = capacity
    this.#batchSize = batchSize
    this.#width = config.numKeyValueHeads * headDim(config)
    this.#layers = Array.from({ length: config.numHiddenLayers }, () => undefined)
  }

  /** Positions that are in it. */
  get length(): number {
    return this.#length
  }

  /**
   * Makes room for the next positions. Outside of `inference`, whose tensors would end with it.
   *
   * @throws SmolforgeError `usage` for more than the capacity.
   */
  reserve(positions: number): void {
    const needed = this.#length + positions
    if (needed > this.capacity) {
      throw new SmolforgeError('usage', `The cache has room for ${this.capacity} positions, not ${needed}`)
    }
    if (needed <= this.#room) return
    this.#room = Math.min(this.capacity, Math.max(FIRST_POSITIONS, 2 * this.#room, needed))
    const grown = (old?: Tensor) => {
      const made = zeros([this.#batchSize, this.#room, this.#width], activationType())
      if (old && this.#length > 0) writeRows(made, old, 0)
      old?.free()
      return made
    }
    for (const [i, layer] of this.#layers.entries()) {
      this.#layers[i] = { keys: grown(layer?.keys), values: grown(layer?.values) }
    }
  }

  /**
   * Puts the keys and values of the next positions of one layer in, the last columns of qkv[B, T, width]; `advance`
   * follows once for all layers. There must be room.
   */
  write(layer: number, qkv: Tensor): { keys: Tensor; values: Tensor; keyLength: number } {
    const [, time, width] = qkv.shape
    const keyLength = this.#length + time
    const held = this.#layers[layer]
    if (held === undefined || keyLength > this.#room) {
      throw new SmolforgeError('usage', `The cache has room for ${this.#room} positions, not ${keyLength}`, {
        hint: 'Call reserve() before the pass.',
      })
    }
    const { keys, values } = held
    writeRows(keys, qkv, this.#length, width - 2 * this.#width)
    writeRows(values, qkv, this.#length, width - this.#width)
    return { keys, values, keyLength }
  }

  /** Counts positions that every layer has written. */
  advance(positions: number): void {
    this.#length += positions
  }

  /** Forgets the positions from `length` on. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length)
  }

  free(): void {
    for (const layer of this.#layers) {
      layer?.keys.free()
      layer?.values.free()
    }
  }
}
