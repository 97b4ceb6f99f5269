export interface Bound {
  low: number
  high: number
}

/**
 * The shares nearest in proportion to `wanted` that lie within their bounds and sum to 1: all are multiplied by one
 * factor, those that hit a bound stay there (water-filling). Undefined when the bounds leave no such shares.
 */
export function fillWithin(wanted: readonly number[], bounds: readonly Bound[]): number[] | undefined {
  const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
  const slack = 1e-12
  if (sumOf(bounds.map(({ low }) => low)) > 1 + slack) return undefined
  if (sumOf(bounds.map(({ high }) => high)) < 1 - slack) return undefined
  // A domain that wants nothing can still be needed to fill up to 1.
  const positive = wanted.map((value) => Math.max(value, 1e-9))
  const at = (factor: number) =>
    positive.map((value, i) => Math.min(bounds[i].high, Math.max(bounds[i].low, factor * value)))
  let [small, large] = [0, 1]
  while (sumOf(at(large)) < 1 - slack) large *= 2
  for (let round = 0; round < 200; round++) {
    const middle = (small + large) / 2
    if (sumOf(at(middle)) < 1) small = middle
    else large = middle
  }
  return at(small)
}
