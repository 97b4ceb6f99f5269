/**
 * Loss curves of our f32, our bf16 and PyTorch's f32 from the same initial weights and batches of real text, and
 * whether they agree within 1 %; then our bf16 once more, which must end in the same bits.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { explainError } from '../src/errors.ts'
import { Llama } from '../src/model/index.ts'
import { Random } from '../src/random/random.ts'
import { scheduleRate } from '../src/train/index.ts'
import { benchPython } from './python.ts'
import { curvesSvg, largestDifference, mean, smoothed } from './train/curves.ts'
import { adamw, shapes } from './train/shapes.ts'
import { type CurveJob, type Mode, Side } from './train/side.ts'
import { drawBatches, tokenStream } from './train/text.ts'

const USAGE = `npm run bench -- losses [--config S] [--steps 300] [--rate 5e-4] [--against torch] [--threads n]
  [--isa avx2] [--python PATH] [--out FOLDER] [--json]
`
const TOLERANCE = 0.01
/** Of the first loss, which is before any update. */
const FIRST_TOLERANCE = 1e-5
const WINDOW = 10
const LAST_STEPS = 50

const { values: args } = parseArgs({
  options: {
    config: { type: 'string', default: 'S' },
    steps: { type: 'string', default: '300' },
    rate: { type: 'string', default: '5e-4' },
    against: { type: 'string' },
    threads: { type: 'string' },
    isa: { type: 'string' },
    python: { type: 'string' },
    out: { type: 'string', default: 'runs/bench-losses' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const shape = shapes[args.config.toUpperCase()]
const steps = Number(args.steps)
const rate = Number(args.rate)
const threads = Number(args.threads ?? availableParallelism())
const usable =
  rate > 0 &&
  shape !== undefined &&
  Number.isInteger(steps) &&
  steps > 0 &&
  Number.isInteger(threads) &&
  threads > 0 &&
  (args.against === undefined || args.against === 'torch')
if (args.help || !usable) {
  process.stderr.write(USAGE)
  process.exit(args.help ? 0 : 2)
}

let python: string | undefined
if (args.against === 'torch') {
  try {
    python = await benchPython({ python: args.python })
  } catch (error) {
    process.stderr.write(`${explainError(error)}\nPyTorch is left out: our side alone.\n`)
  }
}

const folder = mkdtempSync(join(tmpdir(), 'smolforge-losses-'))
try {
  const job = await prepare(folder)
  const ours32 = await follow('smolforge f32', { side: 'smolforge', dtype: 'f32' }, job)
  const ours16 = await follow('smolforge bf16', { side: 'smolforge', dtype: 'bf16' }, job)
  const again = await follow('smolforge bf16 again', { side: 'smolforge', dtype: 'bf16' }, job)
  const theirs =
    python === undefined ? undefined : await follow('torch f32', { side: 'torch', dtype: 'f32' }, job)
  report(
    {
      'smolforge f32': ours32.losses,
      'smolforge bf16': ours16.losses,
      ...(theirs && { 'torch f32': theirs.losses }),
    },
    ours16.hash === again.hash,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Writes the initial weights and all batches, for every side to read. */
async function prepare(folder: string): Promise<CurveJob> {
  const { model, batchSize, sequenceLength } = shape
  process.stderr.write(`training a tokenizer of ${model.vocabSize}\n`)
  const { stream } = await tokenStream(model.vocabSize)
  const weights = join(folder, 'weights')
  const llama = Llama.create(model, new Random(1))
  await llama.save(weights)
  llama.free()
  const batches = join(folder, 'batches.i32')
  writeFileSync(batches, drawBatches(stream, { steps, batchSize, sequenceLength }, new Random(2)))
  const schedule = { kind: 'wsd', warmupSteps: Math.ceil(steps / 10), decayFraction: 0.2 } as const
  return {
    weights,
    batches,
    rates: Array.from({ length: steps }, (_, i) => {
      const share = scheduleRate(schedule, i + 1, steps)
      return (share * rate) / adamw.learningRate
    }),
  }
}

async function follow(
  name: string,
  mode: Mode,
  curve: CurveJob,
): Promise<{ losses: number[]; hash?: string }> {
  const started = performance.now()
  const side = await Side.start(mode, { shape, threads, isa: args.isa, python, curve })
  const losses: number[] = []
  for (let i = 0; i < steps; i++) losses.push(((await side.next()) as { loss: number }).loss)
  const hash = mode.side === 'smolforge' ? ((await side.next()) as { hash: string }).hash : undefined
  await side.end()
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  process.stderr.write(
    `${name}: ${losses[0].toFixed(6)} to ${losses[steps - 1].toFixed(4)} in ${seconds} s\n`,
  )
  return { losses, hash }
}

function report(curves: Record<string, number[]>, sameBits: boolean): void {
  const out = resolve(args.out)
  mkdirSync(out, { recursive: true })
  const names = Object.keys(curves)
  const csv = Array.from({ length: steps }, (_, i) =>
    [i + 1, ...names.map((name) => curves[name][i])].join(','),
  )
  writeFileSync(join(out, 'losses.csv'), `step,${names.join(',')}\n${csv.join('\n')}\n`)
  writeFileSync(join(out, 'losses.svg'), curvesSvg(curves))

  const pairs: [string, string][] = [['smolforge bf16', 'smolforge f32']]
  if (curves['torch f32']) pairs.push(['smolforge f32', 'torch f32'], ['smolforge bf16', 'torch f32'])
  const comparisons = pairs.map(([a, b]) => {
    const worst = largestDifference(smoothed(curves[a], WINDOW), smoothed(curves[b], WINDOW))
    const [endA, endB] = [a, b].map((name) => mean(curves[name].slice(-LAST_STEPS)))
    const end = Math.abs(endA - endB) / endB
    const first = Math.abs(curves[a][0] - curves[b][0]) / curves[b][0]
    // The same arithmetic must start at the same loss; bf16 need not.
    const firstAgrees = a.endsWith('bf16') || first <= FIRST_TOLERANCE
    const pass = worst.share <= TOLERANCE && end <= TOLERANCE && firstAgrees
    return { a, b, first, largest: worst.share, atStep: worst.step, end, pass }
  })
  const pass = sameBits && comparisons.every((each) => each.pass)
  if (args.json) {
    console.log(
      JSON.stringify({ config: args.config.toUpperCase(), steps, threads, comparisons, sameBits, pass }),
    )
  } else {
    const percent = (share: number) => `${(100 * share).toFixed(4)} %`
    for (const { a, b, first, largest, atStep, end, pass } of comparisons) {
      const verdict = pass ? 'pass' : 'FAIL'
      console.log(`${a} to ${b}: first loss ${percent(first)}, largest ${percent(largest)} (step ${atStep},`)
      console.log(
        `  smoothed over ${WINDOW}), last ${Math.min(LAST_STEPS, steps)} steps ${percent(end)}: ${verdict}`,
      )
    }
    console.log(`bf16 run twice: ${sameBits ? 'the same bits: pass' : 'other bits: FAIL'}`)
    console.log(`all within ${100 * TOLERANCE} %: ${pass ? 'pass' : 'FAIL'}; curves in ${out}`)
    if (args.against && !curves['torch f32']) console.log('PyTorch did not run: nothing is said about it')
  }
  process.exitCode = pass ? 0 : 1
}
