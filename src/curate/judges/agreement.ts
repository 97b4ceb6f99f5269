/** How far two judgements of the same documents agree. */
export interface Agreement {
  pairs: number
  /** Shares of the pairs. */
  exact: number
  withinOne: number
  /** Agreement beyond chance (Cohen 1960): 1 is perfect, 0 what chance gives; NaN when both gave one score throughout. */
  kappa: number
  /** The same with the square of the difference as weight (Cohen 1968): near misses count little. */
  quadraticKappa: number
  /** Rank correlation, ties at their middle rank; NaN when one of the two gave one score throughout. */
  spearman: number
  /** Second less first, on average: above 0 the second judge is milder. */
  meanDifference: number
}

/** Compares scores pair by pair. With no pair all shares are NaN. */
export function agreementOf(pairs: readonly (readonly [number, number])[]): Agreement {
  const share = (holds: (a: number, b: number) => boolean) =>
    pairs.filter(([a, b]) => holds(a, b)).length / pairs.length
  return {
    pairs: pairs.length,
    exact: share((a, b) => a === b),
    withinOne: share((a, b) => Math.abs(a - b) <= 1),
    kappa: kappaOf(pairs, (a, b) => (a === b ? 0 : 1)),
    quadraticKappa: kappaOf(pairs, (a, b) => (a - b) ** 2),
    spearman: spearman(
      pairs.map(([a]) => a),
      pairs.map(([, b]) => b),
    ),
    meanDifference: mean(pairs.map(([a, b]) => b - a)),
  }
}

/** 1 - observed disagreement / the disagreement of two judges that score alike as often, but by chance. */
function kappaOf(pairs: readonly (readonly [number, number])[], weight: (a: number, b: number) => number) {
  const [first, second] = [countsOf(pairs.map(([a]) => a)), countsOf(pairs.map(([, b]) => b))]
  const observed = mean(pairs.map(([a, b]) => weight(a, b)))
  let expected = 0
  for (const [a, countA] of first) {
    for (const [b, countB] of second) expected += (weight(a, b) * countA * countB) / pairs.length ** 2
  }
  return expected === 0 ? Number.NaN : 1 - observed / expected
}

function countsOf(values: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

/** Rank correlation, ties at their middle rank (Spearman 1904); NaN when one side does not vary. */
export function spearman(x: readonly number[], y: readonly number[]): number {
  return correlation(ranks(x), ranks(y))
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b])
  const result = new Array<number>(values.length)
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && values[order[to]] === values[order[from]]) to++
    for (const i of order.slice(from, to)) result[i] = (from + to - 1) / 2
    from = to
  }
  return result
}

/** Pearson's. */
function correlation(x: readonly number[], y: readonly number[]): number {
  const [meanX, meanY] = [mean(x), mean(y)]
  const product = mean(x.map((value, i) => (value - meanX) * (y[i] - meanY)))
  const variances =
    mean(x.map((value) => (value - meanX) ** 2)) * mean(y.map((value) => (value - meanY) ** 2))
  return product / Math.sqrt(variances)
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
