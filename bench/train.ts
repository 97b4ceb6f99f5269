// Tokens a second of one training step: forward, backward, clip, AdamW. With a Python that has torch (--python or
// SMOLFORGE_TEST_PYTHON) the same model in PyTorch eager f32 takes turns with it on the same threads.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Llama, type LlamaConfig, parameterCount, presets, trainFlopsPerToken } from '../src/model/index.ts'
import { Random } from '../src/random/random.ts'
import { configure, engineInfo, engineProfile, step } from '../src/tensor/index.ts'
import { Optimizer } from '../src/train/index.ts'

const USAGE = `npm run bench -- train --config T|S|M [--threads n] [--dtype f32|bf16] [--optimizer adamw|muon]
  [--steps n] [--python PATH] [--profile] [--json]
`

interface Shape {
  model: LlamaConfig
  batchSize: number
  sequenceLength: number
}

const shapes: Record<string, Shape> = {
  T: { model: presets['bench-t'], batchSize: 8, sequenceLength: 256 },
  S: { model: presets['bench-s'], batchSize: 8, sequenceLength: 512 },
  M: { model: presets['smollm2-135m'], batchSize: 4, sequenceLength: 512 },
}
const adamw = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.01 }

const { values: args } = parseArgs({
  options: {
    config: { type: 'string', default: 'S' },
    threads: { type: 'string' },
    dtype: { type: 'string', default: 'f32' },
    optimizer: { type: 'string', default: 'adamw' },
    steps: { type: 'string' },
    python: { type: 'string' },
    profile: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const shape = shapes[args.config.toUpperCase()]
const { dtype, optimizer: optimizerKind } = args
if (
  args.help ||
  !shape ||
  (dtype !== 'f32' && dtype !== 'bf16') ||
  !['adamw', 'muon'].includes(optimizerKind)
) {
  process.stderr.write(USAGE)
  process.exit(args.help ? 0 : 2)
}

configure({ precision: dtype, threads: args.threads === undefined ? undefined : Number(args.threads) })
const engine = engineInfo()
const python = args.python ?? process.env.SMOLFORGE_TEST_PYTHON
const ROUNDS = 4
const stepsPerRound = Math.ceil(Number(args.steps ?? (args.config.toUpperCase() === 'M' ? 8 : 24)) / ROUNDS)

const ours = smolforgeStep(shape)
const theirs = python === undefined ? undefined : await torchSteps(python, shape, engine.threads)
const times: number[] = []
const torchTimes: number[] = []
for (let i = 0; i < 3; i++) ours()
engineProfile({ reset: true })
for (let round = 0; round < ROUNDS; round++) {
  for (let i = 0; i < stepsPerRound; i++) {
    const started = performance.now()
    ours()
    times.push(performance.now() - started)
  }
  if (theirs === undefined) continue
  await setTimeout(100)
  torchTimes.push(...(await theirs.run(stepsPerRound)))
  await setTimeout(100)
}
theirs?.end()

const tokens = shape.batchSize * shape.sequenceLength
const stepMs = median(times)
const tokensPerSecond = (tokens / stepMs) * 1000
const flops = trainFlopsPerToken(shape.model, shape.sequenceLength) * tokensPerSecond
const result = {
  config: args.config.toUpperCase(),
  parameters: parameterCount(shape.model),
  tokensPerSecond: Math.round(tokensPerSecond),
  stepMs: round3(stepMs),
  fastestStepMs: round3(Math.min(...times)),
  threads: engine.threads,
  isa: engine.isa,
  dtype,
  optimizer: optimizerKind,
  gigaflops: Math.round(flops / 1e9),
  steps: times.length,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
  ...(theirs && {
    torch: {
      version: theirs.version,
      dtype: 'f32',
      tokensPerSecond: Math.round((tokens / median(torchTimes)) * 1000),
      stepMs: round3(median(torchTimes)),
      fastestStepMs: round3(Math.min(...torchTimes)),
    },
    ratio: round3(median(torchTimes) / stepMs),
    // On a busy machine the fastest steps say more than the medians.
    ratioOfFastest: round3(Math.min(...torchTimes) / Math.min(...times)),
  }),
}
if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`)
else for (const [key, value] of Object.entries(result)) console.log(key.padEnd(16), value)
if (args.profile) {
  const out = args.json ? process.stderr : process.stdout
  out.write('\nms a step by operation\n')
  for (const { operation, calls, milliseconds } of engineProfile()) {
    const perStep = (milliseconds / times.length).toFixed(3).padStart(10)
    out.write(`${perStep}  ${operation} (${calls / times.length} calls)\n`)
  }
}

/** One optimizer step on random tokens, everything that training does on the engine. */
function smolforgeStep({ model, batchSize, sequenceLength }: Shape): () => void {
  const random = new Random(1)
  const llama = Llama.create(model, random)
  const optimizer = new Optimizer({ kind: optimizerKind as 'adamw', ...adamw }, llama)
  const size = batchSize * sequenceLength
  const draw = () => Int32Array.from({ length: size }, () => random.int(model.vocabSize))
  const batch = { batchSize, sequenceLength, tokens: draw(), targets: draw() }
  let done = 0
  return () => {
    step(() => {
      const { loss } = llama.loss(batch)
      loss.backward()
      return loss.item()
    })
    optimizer.update(++done, 1)
  }
}

/** A Python process that does as many steps as it is asked for and answers with their times in ms. */
async function torchSteps(program: string, { model, batchSize, sequenceLength }: Shape, threads: number) {
  const script = fileURLToPath(new URL('./torchTrain.py', import.meta.url))
  const config = JSON.stringify({ ...model, batchSize, sequenceLength, threads, adamw })
  const child: ChildProcessWithoutNullStreams = spawn(program, [script, config])
  child.stderr.pipe(process.stderr)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${program} ended: has it torch?`)
    return JSON.parse(value)
  }
  const { version } = (await answer()) as { version: string }
  return {
    version,
    async run(steps: number): Promise<number[]> {
      child.stdin.write(`${steps}\n`)
      return answer()
    },
    end: () => child.stdin.end(),
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000
}
