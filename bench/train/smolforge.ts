// Our side of the training benchmarks, driven as bench/torchTrain.py is: a number of steps a line of standard input,
// their times in ms and the peak memory back.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Llama, type LossBatch } from '../../src/model/index.ts'
import { loadAddon } from '../../src/native/addon.ts'
import { Random } from '../../src/random/random.ts'
import { configure, engineProfile, step } from '../../src/tensor/index.ts'
import { Optimizer, type OptimizerInput } from '../../src/train/index.ts'
import type { Shape } from './shapes.ts'
import type { CurveJob, Dtype } from './side.ts'

interface Job extends Shape {
  threads: number
  dtype: Dtype
  optimizer?: 'adamw' | 'muon'
  optimizerState?: 'f32' | '8bit'
  recompute?: boolean
  adamw: Omit<Extract<OptimizerInput, { kind: 'adamw' }>, 'kind'>
  curve?: CurveJob
}

const WARM_UP = 3
const job: Job = JSON.parse(process.argv[2])
const { model, batchSize, sequenceLength, curve } = job
const size = batchSize * sequenceLength
const info = configure({ precision: job.dtype, threads: job.threads })
const { tensorPeak } = loadAddon<{ tensorPeak(): number }>()
const hello = {
  version: process.version,
  isa: info.isa,
  threads: info.threads,
  cpu: info.cpu,
  peakGigaflops: tensorPeak(),
}
if (curve === undefined) await answerSteps()
else await followCurve(curve)

/** One optimizer step: everything that training does on the engine. */
function train(llama: Llama, optimizer: Optimizer, batch: LossBatch, count: number, rate: number): number {
  const loss = step(() => {
    const { loss } = llama.loss(batch)
    loss.backward()
    return loss.item()
  })
  optimizer.update(count, rate)
  return loss
}

async function answerSteps(): Promise<void> {
  const random = new Random(1)
  const llama = Llama.create(model, random)
  llama.recomputeActivations = job.recompute ?? false
  const { optimizer: kind = 'adamw', optimizerState: state } = job
  const optimizer = new Optimizer({ kind, ...job.adamw, state }, llama)
  const draw = () => Int32Array.from({ length: size }, () => random.int(model.vocabSize))
  const batch = { batchSize, sequenceLength, tokens: draw(), targets: draw() }
  let done = 0
  const one = () => train(llama, optimizer, batch, ++done, 1)
  for (let i = 0; i < WARM_UP; i++) one()
  say(hello)
  for await (const line of createInterface({ input: process.stdin })) {
    const [steps, profiled] = line.startsWith('profile ')
      ? [Number(line.slice(8)), true]
      : [Number(line), false]
    const times: number[] = []
    if (profiled) engineProfile({ reset: true })
    for (let i = 0; i < steps; i++) {
      const started = performance.now()
      one()
      times.push(performance.now() - started)
    }
    const wallMs = times.reduce((sum, time) => sum + time, 0)
    if (profiled) say({ wallMs, steps, operations: engineProfile() })
    else say({ times, peakRssBytes: process.resourceUsage().maxRSS * 1024 })
  }
}

/** Says the loss of every step, then the hash of the weights that came out. */
async function followCurve({ weights, batches, rates }: CurveJob): Promise<void> {
  const llama = await Llama.load(weights)
  const optimizer = new Optimizer({ kind: job.optimizer ?? 'adamw', ...job.adamw }, llama)
  const bytes = readFileSync(batches)
  const all = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  say(hello)
  for (const [i, rate] of rates.entries()) {
    const at = i * 2 * size
    const tokens = all.slice(at, at + size)
    const targets = all.slice(at + size, at + 2 * size)
    const loss = train(llama, optimizer, { batchSize, sequenceLength, tokens, targets }, i + 1, rate)
    say({ loss })
  }
  const hash = createHash('sha256')
  for (const parameter of llama.parameters.values()) {
    const values = parameter.read()
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }
  say({ hash: hash.digest('hex') })
}

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}
