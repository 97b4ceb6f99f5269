/**
 * Every operation once more, slow and obvious, in double precision: what the kernels are compared to.
 * Arrays are flat and row-major, as in the engine.
 */
export type Values = Float64Array

export const map = (x: Values, f: (value: number, i: number) => number): Values => Float64Array.from(x, f)

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

export function matmul(a: Values, b: Values, m: number, n: number, k: number): Values {
  const c = new Float64Array(m * n)
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) for (let p = 0; p < k; p++) c[i * n + j] += a[i * k + p] * b[p * n + j]
  return c
}

export function transpose(x: Values, rows: number, columns: number): Values {
  return Float64Array.from(x, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)])
}

export function softmax(x: Values, columns: number, log: boolean): Values {
  const y = new Float64Array(x.length)
  for (let row = 0; row < x.length; row += columns) {
    const line = x.subarray(row, row + columns)
    const largest = Math.max(...line)
    const sum = line.reduce((total, value) => total + Math.exp(value - largest), 0)
    for (let j = 0; j < columns; j++) {
      const logarithm = line[j] - largest - Math.log(sum)
      y[row + j] = log ? logarithm : Math.exp(logarithm)
    }
  }
  return y
}

export function rmsNorm(x: Values, weight: Values, eps: number): Values {
  const columns = weight.length
  return map(x, (value, i) => {
    const row = x.subarray(i - (i % columns), i - (i % columns) + columns)
    const square = row.reduce((total, each) => total + each * each, 0) / columns
    return (value / Math.sqrt(square + eps)) * weight[i % columns]
  })
}

export function rope(
  x: Values,
  time: number,
  heads: number,
  headDim: number,
  theta: number,
  start: number,
): Values {
  const half = headDim / 2
  return map(x, (value, i) => {
    const at = i % headDim
    const position = start + (Math.floor(i / (heads * headDim)) % time)
    const angle = position * theta ** ((-2 * (at % half)) / headDim)
    return at < half
      ? value * Math.cos(angle) - x[i + half] * Math.sin(angle)
      : value * Math.cos(angle) + x[i - half] * Math.sin(angle)
  })
}

/** The normal distribution up to x, by its series: x + x³/3 + x⁵/15 + ... */
export function normalUpTo(x: number): number {
  let term = x
  let sum = x
  for (let i = 3; Math.abs(term) > 1e-18 && i < 400; i += 2) {
    term *= (x * x) / i
    sum += term
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI)
}

export function layerNorm(x: Values, weight: Values, bias: Values, eps: number): Values {
  const columns = weight.length
  const y = new Float64Array(x.length)
  for (let row = 0; row < x.length; row += columns) {
    const line = x.subarray(row, row + columns)
    const mean = line.reduce((sum, value) => sum + value, 0) / columns
    const variance = line.reduce((sum, value) => sum + (value - mean) ** 2, 0) / columns
    for (let i = 0; i < columns; i++) {
      y[row + i] = ((line[i] - mean) / Math.sqrt(variance + eps)) * weight[i] + bias[i]
    }
  }
  return y
}

export interface AttentionSizes {
  batch: number
  time: number
  capacity: number
  heads: number
  kvHeads: number
  headDim: number
  keyLength: number
  causal?: boolean
  segments?: Int32Array
}

export function attention(q: Values, k: Values, v: Values, s: AttentionSizes): Values {
  const y = new Float64Array(q.length)
  for (let b = 0; b < s.batch; b++) {
    for (let head = 0; head < s.heads; head++) {
      const kvHead = Math.floor(head / (s.heads / s.kvHeads))
      for (let t = 0; t < s.time; t++) {
        const query = ((b * s.time + t) * s.heads + head) * s.headDim
        const keys: { at: number; score: number }[] = []
        const last = s.causal === false ? s.keyLength - 1 : s.keyLength - s.time + t
        for (let key = 0; key <= last; key++) {
          if (s.segments && s.segments[b * s.time + key] !== s.segments[b * s.time + t]) continue
          const at = ((b * s.capacity + key) * s.kvHeads + kvHead) * s.headDim
          let score = 0
          for (let d = 0; d < s.headDim; d++) score += q[query + d] * k[at + d]
          keys.push({ at, score: score / Math.sqrt(s.headDim) })
        }
        const largest = Math.max(...keys.map((key) => key.score))
        const sum = keys.reduce((total, key) => total + Math.exp(key.score - largest), 0)
        for (const { at, score } of keys) {
          const p = Math.exp(score - largest) / sum
          for (let d = 0; d < s.headDim; d++) y[query + d] += p * v[at + d]
        }
      }
    }
  }
  return y
}

/** -log p(target) of each row; 0 where the target is negative. */
export function headNll(x: Values, weight: Values, targets: Int32Array, hidden: number): Values {
  const vocab = weight.length / hidden
  const logits = matmul(x, transpose(weight, vocab, hidden), targets.length, vocab, hidden)
  const logProbs = softmax(logits, vocab, true)
  return Float64Array.from(targets, (target, i) => (target < 0 ? 0 : -logProbs[i * vocab + target]))
}

/** Muon's update of one matrix, before the learning rate. */
export function newtonSchulz(g: Values, rows: number, columns: number, steps: number): Values {
  const turned = rows > columns
  const short = Math.min(rows, columns)
  const long = Math.max(rows, columns)
  let x = turned ? transpose(g, rows, columns) : g
  const norm = Math.sqrt(x.reduce((total, value) => total + value * value, 0)) + 1e-7
  x = map(x, (value) => value / norm)
  for (let step = 0; step < steps; step++) {
    const gram = matmul(x, transpose(x, short, long), short, short, long)
    const square = matmul(gram, gram, short, short, short)
    const poly = map(gram, (value, i) => -4.775 * value + 2.0315 * square[i])
    const product = matmul(poly, x, short, long, short)
    x = map(x, (value, i) => 3.4445 * value + product[i])
  }
  return turned ? transpose(x, columns, rows) : x
}
