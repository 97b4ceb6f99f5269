/** Weights of a linear regression on centred features; the prediction is `bias + weights . x`. */
export interface RidgeFit {
  weights: Float32Array
  bias: number
  /** The penalty that was chosen, as a share of the mean variance of a feature. */
  penalty: number
}

/** Penalties that are tried, each as a share of the features' mean variance. */
const PENALTIES = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10]

/**
 * Ridge regression (Hoerl and Kennard 1970) of targets on rows of `width` features, solved exactly in f64. The penalty is
 * the one with the least error when each fifth of the rows is predicted from the others; the rows should come in no order.
 */
export function fitRidge(rows: Float32Array, width: number, targets: Float64Array): RidgeFit {
  const count = targets.length
  const folds = Math.min(FOLDS, count)
  const edges = Array.from({ length: folds + 1 }, (_, i) => Math.floor((i * count) / folds))
  const parts = edges.slice(1).map((to, i) => sumsOf(rows, width, targets, edges[i], to))
  const errors = new Float64Array(PENALTIES.length)
  for (const [fold, _] of parts.entries()) {
    const others = summarise(parts.length === 1 ? parts : parts.filter((_, i) => i !== fold))
    for (const [i, penalty] of PENALTIES.entries()) {
      const fit = solve(others, penalty)
      for (let row = edges[fold]; row < edges[fold + 1]; row++) {
        errors[i] += (predict(fit, rows, width, row) - targets[row]) ** 2
      }
    }
  }
  return solve(summarise(parts), PENALTIES[errors.indexOf(Math.min(...errors))] ?? 1)
}

const FOLDS = 5

export function predict(
  { weights, bias }: Pick<RidgeFit, 'weights' | 'bias'>,
  rows: Float32Array,
  width: number,
  row: number,
): number {
  let sum = bias
  for (let i = 0; i < width; i++) sum += weights[i] * rows[row * width + i]
  return sum
}

/** Sums over some rows: of the features, of their products with each other (lower triangle) and with the target. */
interface Sums {
  width: number
  count: number
  features: Float64Array
  target: number
  gram: Float64Array
  products: Float64Array
}

function sumsOf(rows: Float32Array, width: number, targets: Float64Array, from: number, to: number): Sums {
  const features = new Float64Array(width)
  const gram = new Float64Array(width * width)
  const products = new Float64Array(width)
  let target = 0
  for (let row = from; row < to; row++) {
    const x = rows.subarray(row * width, (row + 1) * width)
    target += targets[row]
    for (let i = 0; i < width; i++) {
      const xi = x[i]
      features[i] += xi
      products[i] += xi * targets[row]
      const line = i * width
      for (let j = 0; j <= i; j++) gram[line + j] += xi * x[j]
    }
  }
  return { width, count: to - from, features, target, gram, products }
}

interface Summary {
  width: number
  means: Float64Array
  targetMean: number
  /** Covariances of the features (lower triangle) and with the target. */
  gram: Float64Array
  products: Float64Array
}

function summarise(parts: readonly Sums[]): Summary {
  const { width } = parts[0]
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  const mean = (values: (part: Sums) => Float64Array) => {
    const total = new Float64Array(values(parts[0]).length)
    for (const part of parts) {
      const some = values(part)
      for (let i = 0; i < total.length; i++) total[i] += some[i] / count
    }
    return total
  }
  const means = mean(({ features }) => features)
  const targetMean = parts.reduce((sum, part) => sum + part.target, 0) / count
  const gram = mean((part) => part.gram)
  const products = mean((part) => part.products)
  for (let i = 0; i < width; i++) {
    products[i] -= means[i] * targetMean
    for (let j = 0; j <= i; j++) gram[i * width + j] -= means[i] * means[j]
  }
  return { width, means, targetMean, gram, products }
}

/** (gram + penalty * mean variance * I) w = products, by Cholesky's decomposition. */
function solve({ width, means, targetMean, gram, products }: Summary, penalty: number): RidgeFit {
  let variance = 0
  for (let i = 0; i < width; i++) variance += gram[i * width + i] / width
  // Features that do not vary at all would leave nothing to divide by.
  const ridge = penalty * variance + Number.MIN_VALUE * 2 ** 100
  const root = gram.slice()
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = root[i * width + j] + (i === j ? ridge : 0)
      for (let k = 0; k < j; k++) sum -= root[i * width + k] * root[j * width + k]
      root[i * width + j] = i === j ? Math.sqrt(Math.max(sum, ridge * 1e-9)) : sum / root[j * width + j]
    }
  }
  const w = products.slice()
  for (let i = 0; i < width; i++) {
    for (let k = 0; k < i; k++) w[i] -= root[i * width + k] * w[k]
    w[i] /= root[i * width + i]
  }
  for (let i = width - 1; i >= 0; i--) {
    for (let k = i + 1; k < width; k++) w[i] -= root[k * width + i] * w[k]
    w[i] /= root[i * width + i]
  }
  const weights = Float32Array.from(w)
  const bias = targetMean - weights.reduce((sum, weight, i) => sum + weight * means[i], 0)
  return { weights, bias, penalty }
}
