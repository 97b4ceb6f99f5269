import { SmolforgeError } from '../errors.ts'
import { activationType, overwrite, type Tensor, zeros } from '../tensor/index.ts'
import { headDim, type LlamaConfig } from './config.ts'

/** Positions that a cache begins with; it doubles when they are full. */
const FIRST_POSITIONS = 256

/**
 * Keys and values of the positions of a sequence seen so far, for each layer [room, kvHeads * headDim], stored as the
 * model makes them: bf16 where that is the engine's precision. It takes at most `capacity` positions, and memory for about as many as
 * it has. Make it outside of `inference`, and `free` it when the text is done.
 */
export class KeyValueCache {
  readonly capacity: number
  readonly #width: number
  readonly #layers: ({ keys: Tensor; values: Tensor } | undefined)[]
  #room = 0
  #length = 0

  constructor(config: LlamaConfig, capacity: number) {
    this.capacity = capacity
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
      const made = zeros([this.#room, this.#width], activationType())
      if (old && this.#length > 0) overwrite(made, old)
      old?.free()
      return made
    }
    for (const [i, layer] of this.#layers.entries()) {
      this.#layers[i] = { keys: grown(layer?.keys), values: grown(layer?.values) }
    }
  }

  /** What a layer keeps, with room for the next positions, which `advance` counts once for all layers. */
  layer(index: number, positions: number): { keys: Tensor; values: Tensor } {
    const held = this.#layers[index]
    const needed = this.#length + positions
    if (held === undefined || needed > this.#room) {
      throw new SmolforgeError('usage', `The cache has room for ${this.#room} positions, not ${needed}`, {
        hint: 'Call reserve() before the pass.',
      })
    }
    return held
  }

  /** Counts positions that every layer has written. */
  advance(positions: number): void {
    this.#length += positions
  }

  free(): void {
    for (const layer of this.#layers) {
      layer?.keys.free()
      layer?.values.free()
    }
  }
}
