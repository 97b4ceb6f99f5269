/**
 * Rates of the kernels at the layer shapes of the benchmark configurations, as a share of what multiply-adds on
 * registers alone reach on this machine: `npm run bench -- kernels [--config T,S,M] [--precision bf16] [--threads n]`.
 */
import { parseArgs } from 'node:util'
import { loadAddon } from '../src/native/addon.ts'
import * as t from '../src/tensor/index.ts'

interface Shape {
  rows: number
  time: number
  hidden: number
  feedForward: number
  heads: number
  kvHeads: number
  vocab: number
}

const shapes: Record<string, Shape> = {
  T: { rows: 2048, time: 256, hidden: 128, feedForward: 384, heads: 4, kvHeads: 2, vocab: 4096 },
  S: { rows: 4096, time: 512, hidden: 256, feedForward: 768, heads: 4, kvHeads: 2, vocab: 8192 },
  M: { rows: 2048, time: 512, hidden: 576, feedForward: 1536, heads: 9, kvHeads: 3, vocab: 49_152 },
}

const { values: options } = parseArgs({
  options: {
    config: { type: 'string', default: 'T,S,M' },
    precision: { type: 'string', default: 'f32' },
    threads: { type: 'string' },
    isa: { type: 'string' },
    rounds: { type: 'string', default: '5' },
  },
})
const info = t.configure({
  precision: options.precision as t.Precision,
  threads: options.threads === undefined ? undefined : Number(options.threads),
  isa: options.isa as t.Isa | undefined,
})
let peak = 0
const { tensorPeak } = loadAddon<{ tensorPeak(): number }>()
console.log(`${info.cpu}, ${info.isa}, ${info.threads} threads, ${info.precision}`)

for (const name of options.config.split(',')) {
  const shape = shapes[name]
  if (shape === undefined) throw new Error(`unknown configuration ${name}: choose from T, S, M`)
  const { rows, hidden, feedForward, heads, kvHeads, vocab, time } = shape
  const headDim = hidden / heads
  peak = Math.max(peak, tensorPeak())
  console.log(`\n${name}: peak ${peak.toFixed(0)} GFLOP/s`)
  for (const [inputs, outputs] of [
    [hidden, hidden],
    [hidden, kvHeads * headDim],
    [hidden, feedForward],
    [feedForward, hidden],
  ]) {
    const x = filled([rows, inputs])
    const weight = filled([outputs, inputs])
    const dy = filled([rows, outputs])
    const flops = 2 * rows * inputs * outputs
    const label = `${rows} x ${inputs} -> ${outputs}`
    report(`forward         ${label}`, flops, () => t.linear(x, weight))
    report(`input gradient  ${label}`, flops, () => t.matmul(dy, weight))
    const leaf = t.parameter(new Float32Array(inputs * outputs), [outputs, inputs])
    reportBackward(`weight gradient ${label}`, flops, () => t.linear(x, leaf))
    leaf.free()
  }
  const batch = rows / time
  const [q, k, v] = [heads, kvHeads, kvHeads].map((n) =>
    t.parameter(values(rows * n * headDim), [batch, time, n * headDim]),
  )
  const attend = () => t.attention(q, k, v, { heads, kvHeads })
  // Half of the square of scores: the other half is masked.
  const attentionFlops = 2 * batch * heads * time * time * headDim
  report('attention forward', attentionFlops, attend)
  reportBackward('attention backward', 2.5 * attentionFlops, attend)
  const table = t.parameter(values(vocab * hidden), [vocab, hidden])
  const last = t.parameter(values(rows * hidden), [rows, hidden])
  const targets = t.tensor(
    Int32Array.from({ length: rows }, (_, i) => i % vocab),
    [rows],
  )
  const weights = new Float32Array(rows).fill(1 / rows)
  report('head with loss and gradients', 6 * rows * hidden * vocab, () =>
    t.headLoss(last, table, targets, weights),
  )
  for (const each of [q, k, v, table, last]) each.free()
}

/** The best of some rounds, alternating with nothing else: neighbours only ever make it slower. */
function report(label: string, flops: number, run: () => unknown): void {
  print(label, flops, () => {
    const start = performance.now()
    run()
    return performance.now() - start
  })
}

/** As `report`, for the backward pass alone. */
function reportBackward(label: string, flops: number, run: () => t.Tensor): void {
  print(label, flops, () => {
    const loss = t.sum(run())
    t.engineProfile({ reset: true })
    loss.backward()
    const heavy = t
      .engineProfile()
      .find(({ operation }) => /^(linear weight|attention) gradient$/.test(operation))
    return heavy?.milliseconds ?? Number.NaN
  })
}

function print(label: string, flops: number, round: () => number): void {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i <= Number(options.rounds); i++) best = Math.min(best, t.step(round))
  const rate = flops / best / 1e6
  const share = ((100 * rate) / peak).toFixed(0)
  console.log(
    `${label.padEnd(44)} ${best.toFixed(2).padStart(9)} ms ${rate.toFixed(0).padStart(6)} GFLOP/s ${share.padStart(4)} %`,
  )
}

function filled(shape: number[]): t.Tensor {
  return t.tensor(values(shape.reduce((a, b) => a * b, 1)), shape)
}

function values(size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(i))
}
