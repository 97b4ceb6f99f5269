import { concat, reshape, slice, type Tensor } from '../tensor/index.ts'
import type { KeyValueCache } from './cache.ts'

/** Tokens of one text, and what of it comes before them. */
export interface TokenSequence {
  length: number
  /** Keys and values of earlier positions. It takes the new ones, for which there must be room, and grows by them. */
  cache?: KeyValueCache
  /** Or the earlier positions are a sequence of the same tokens, from this row on. */
  prefix?: { row: number; length: number }
}

/**
 * Runs `attend` on each of the sequences that lie one after the other in the rows of every input, of any shape
 * [.., width]: it sees sequence i of each as [1, length, width] and gives [1, length, outputs]. What it gives lies in
 * [total, outputs] as the sequences did. All that does not look at other positions can so work on many texts at once
 * without padding.
 */
export function eachSequence(
  inputs: readonly Tensor[],
  lengths: readonly number[],
  attend: (parts: Tensor[], i: number) => Tensor,
): Tensor {
  const rows = inputs.map((input) => {
    const width = input.shape.at(-1) ?? 1
    return reshape(input, [input.size / width, width])
  })
  let at = 0
  const attended = lengths.map((length, i) => {
    const parts = rows.map((input) => {
      const own = lengths.length === 1 ? input : slice(input, at, at + length)
      return reshape(own, [1, length, input.shape[1]])
    })
    at += length
    const y = attend(parts, i)
    return reshape(y, [length, y.size / length])
  })
  return attended.length === 1 ? attended[0] : concat(attended)
}
