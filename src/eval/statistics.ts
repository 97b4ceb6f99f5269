import type { Random } from '../random/random.ts'
import type { Interval } from '../random/wilson.ts'

/**
 * The 95 % percentile interval of a statistic under resampling: `statistic` gets indices drawn with replacement
 * from 0..n-1. Whole documents are resampled, since the tokens of one document are not independent.
 */
export function bootstrapInterval(
  n: number,
  statistic: (indices: Uint32Array) => number,
  random: Random,
  resamples = 1000,
): Interval {
  const values = Array.from({ length: resamples }, () => statistic(resample(n, random)))
  return percentileInterval(values)
}

/** `n` indices drawn with replacement from 0..n-1. */
export function resample(n: number, random: Random): Uint32Array {
  const indices = new Uint32Array(n)
  for (let i = 0; i < n; i++) indices[i] = random.int(n)
  return indices
}

/** The middle 95 % of the values. */
export function percentileInterval(values: readonly number[]): Interval {
  const sorted = Float64Array.from(values).sort()
  return { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) }
}

function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below)
}
