import { SmolforgeError } from '../errors.ts'

/**
 * The batches of some epochs, cut into steps: each epoch has an order of its own, known from the seed alone, so a step
 * number says all about the position of the data. A last part of an epoch (`epochs` 1.5) is its first steps.
 */
export class EpochPlan<Item> {
  readonly totalSteps: number
  readonly #epochItems: (epoch: number) => Item[]
  readonly #batchSize: number
  readonly #firstSteps: number[] = [0]
  #current: { epoch: number; items: Item[] } | undefined

  constructor(epochs: number, batchSize: number, epochItems: (epoch: number) => Item[]) {
    this.#epochItems = epochItems
    this.#batchSize = batchSize
    for (let epoch = 0; epoch < epochs; epoch++) {
      const items = this.#items(epoch)
      if (items.length === 0) throw new SmolforgeError('input', 'There is nothing to learn from')
      const steps = Math.ceil(items.length / batchSize)
      const part = Math.min(1, epochs - epoch)
      this.#firstSteps.push(this.#firstSteps[epoch] + Math.max(1, Math.round(steps * part)))
    }
    this.totalSteps = this.#firstSteps[this.#firstSteps.length - 1]
  }

  /** The items of optimizer step `step`, counted from 1. */
  items(step: number): Item[] {
    const epoch = this.#firstSteps.findLastIndex((first) => first < step)
    const from = (step - 1 - this.#firstSteps[epoch]) * this.#batchSize
    return this.#items(epoch).slice(from, from + this.#batchSize)
  }

  #items(epoch: number): Item[] {
    if (this.#current?.epoch !== epoch) this.#current = { epoch, items: this.#epochItems(epoch) }
    return this.#current.items
  }
}

/** Items in groups of `size`, the last one with what is left. */
export function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  const groups: Item[][] = []
  for (let at = 0; at < items.length; at += size) groups.push(items.slice(at, at + size))
  return groups
}
