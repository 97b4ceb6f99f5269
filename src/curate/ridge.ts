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
 * the one that does best on the last tenth of the rows when fitted to the others; the rows should come in no order.
 */
export function fitRidge(rows: Float32Array, width: number, targets: Float64Array): RidgeFit {
  const count = targets.length
  const held = Math.max(1, Math.floor(count / 10))
  const fitted = Math.max(1, count - held)
  const part = summarise(rows, width, targets, 0, fitted)
  const errors = PENALTIES.map((penalty) => {
    const fit = solve(part, penalty)
    let error = 0
    for (let row = fitted; row < count; row++) error += (predict(fit, rows, width, row) - targets[row]) ** 2
    return error
  })
  const best = PENALTIES[errors.indexOf(Math.min(...errors))] ?? 1
  return solve(summarise(rows, width, targets, 0, count), best)
}

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

interface Summary {
  width: number
  means: Float64Array
  targetMean: number
  /** Covariances of the features (lower triangle) and with the target. */
  gram: Float64Array
  products: Float64Array
}

function summarise(
  rows: Float32Array,
  width: number,
  targets: Float64Array,
  from: number,
  to: number,
): Summary {
  const means = new Float64Array(width)
  let targetMean = 0
  for (let row = from; row < to; row++) {
    for (let i = 0; i < width; i++) means[i] += rows[row * width + i]
    targetMean += targets[row]
  }
  const count = to - from
  for (let i = 0; i < width; i++) means[i] /= count
  targetMean /= count
  const gram = new Float64Array(width * width)
  const products = new Float64Array(width)
  const x = new Float64Array(width)
  for (let row = from; row < to; row++) {
    const target = (targets[row] - targetMean) / count
    for (let i = 0; i < width; i++) x[i] = rows[row * width + i] - means[i]
    for (let i = 0; i < width; i++) {
      const xi = x[i] / count
      products[i] += x[i] * target
      const line = i * width
      for (let j = 0; j <= i; j++) gram[line + j] += xi * x[j]
    }
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
