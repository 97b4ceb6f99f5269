export interface Interval {
  low: number
  high: number
}

const Z95 = 1.959963984540054

/** The 95 % interval of Wilson (1927) for `right` successes of `n`: sound for small n and shares near 0 or 1. */
export function wilsonInterval(right: number, n: number): Interval {
  if (n === 0) return { low: 0, high: 1 }
  const share = right / n
  const z2 = (Z95 * Z95) / n
  const centre = (share + z2 / 2) / (1 + z2)
  const half = (Z95 / (1 + z2)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n))
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}

/**
 * The 95 % interval of an F1 score. F1 is 2j / (1 + j) of j, the share that are hits among hits and misses of both kinds:
 * the interval of j, carried over.
 */
export function f1Interval(hits: number, misses: number): Interval {
  const { low, high } = wilsonInterval(hits, hits + misses)
  return { low: (2 * low) / (1 + low), high: (2 * high) / (1 + high) }
}
