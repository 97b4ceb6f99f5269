/**
 * Tokens a second of a training step: forward, backward, clip, AdamW. With `--against torch` our modes take turns with
 * PyTorch's {f32, bf16 autocast} x {eager, compile}, every mode in a process of its own.
 */
import { availableParallelism, freemem } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { explainError } from '../src/errors.ts'
import { parameterCount, trainFlopsPerToken } from '../src/model/index.ts'
import { median } from './figures/median.ts'
import { benchPython } from './python.ts'
import { profileTable } from './train/profile.ts'
import { type Shape, shapes } from './train/shapes.ts'
import { type Dtype, type Mode, modeName, Side, type SideOptions } from './train/side.ts'

const USAGE = `npm run bench -- train [--config T,S,M] [--threads n] [--isa avx2] [--dtype f32|bf16]
  [--against torch] [--modes f32-eager,f32-compile,bf16-eager,bf16-compile] [--python PATH]
  [--optimizer adamw|muon] [--optimizer-state f32|8bit] [--recompute] [--steps n] [--profile] [--json]
`

/**
 * Steps of a mode, if nothing else is asked for, and the turns that they are made in: long ones, for their first step
 * finds cold caches and perhaps threads of the other side that still spin; but many, for the machine has faster and
 * slower seconds.
 */
const plans: Readonly<Record<string, { steps: number; turns: number }>> = {
  T: { steps: 160, turns: 12 },
  S: { steps: 24, turns: 6 },
  M: { steps: 8, turns: 4 },
}

interface Measured {
  mode: Mode
  version?: string
  isa?: string
  cpu?: string
  peakGigaflops?: number
  times: number[]
  peakRssBytes: number
  failed?: string
}

const { values: args } = parseArgs({
  options: {
    config: { type: 'string', default: 'S' },
    threads: { type: 'string' },
    isa: { type: 'string' },
    dtype: { type: 'string' },
    against: { type: 'string' },
    modes: { type: 'string', default: 'f32-eager,f32-compile,bf16-eager,bf16-compile' },
    python: { type: 'string' },
    optimizer: { type: 'string', default: 'adamw' },
    'optimizer-state': { type: 'string', default: 'f32' },
    recompute: { type: 'boolean', default: false },
    steps: { type: 'string' },
    profile: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const configs = args.config.toUpperCase().split(',')
const threads = Number(args.threads ?? availableParallelism())
const peers = args.against === undefined ? [] : args.modes.split(',').map(peerMode)
const usable =
  configs.every((name) => shapes[name] !== undefined) &&
  Number.isInteger(threads) &&
  threads > 0 &&
  (args.dtype === undefined || args.dtype === 'f32' || args.dtype === 'bf16') &&
  (args.against === undefined || args.against === 'torch') &&
  ['adamw', 'muon'].includes(args.optimizer) &&
  ['f32', '8bit'].includes(args['optimizer-state']) &&
  (args.steps === undefined || Number(args.steps) > 0) &&
  peers.every((mode) => mode !== undefined)
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
for (const config of configs) await bench(config, shapes[config])

async function bench(config: string, shape: Shape): Promise<void> {
  // Both of ours against PyTorch; alone, the one that was asked for.
  const dtypes = (
    args.dtype === undefined ? (args.against ? ['f32', 'bf16'] : ['f32']) : [args.dtype]
  ) as Dtype[]
  const ours = dtypes.map((dtype): Mode => ({ side: 'smolforge', dtype }))
  const theirs = python === undefined ? [] : peers.filter((mode) => mode !== undefined)
  const { isa, optimizer, 'optimizer-state': optimizerState, recompute } = args
  const options: SideOptions = { shape, threads, isa, optimizer, optimizerState, recompute, python }
  const { turns } = plans[config]
  const steps = Number(args.steps ?? plans[config].steps)
  const measured = [...ours, ...theirs].map((mode): Measured => ({ mode, times: [], peakRssBytes: 0 }))
  // All at once where they fit in memory, else PyTorch's modes one after the other, each in turns with ours.
  const fits = freemem() > (ours.length + theirs.length) * roughBytes(shape)
  const mine = measured.slice(0, ours.length)
  const others = measured.slice(ours.length)
  const groups = fits || others.length === 0 ? [others] : others.map((each) => [each])
  const profiles: string[] = []

  const opened = await openAll(mine, options)
  for (const group of groups) {
    const sides = [...opened, ...(await openAll(group, options))]
    for (let turn = 0; turn < turns; turn++) {
      const count = Math.floor((steps * (turn + 1)) / turns) - Math.floor((steps * turn) / turns)
      if (count > 0) for (const side of sides) await takeTurn(side, count)
    }
    for (const { side } of sides.slice(opened.length)) await side.end()
  }
  for (const { side, into } of opened) {
    if (args.profile && into.failed === undefined) {
      const profile = await side.profile(Math.max(2, Math.ceil(steps / 4)))
      profiles.push(
        `\n${config} ${modeName(side.mode)}\n${profileTable(profile, shape, into.peakGigaflops ?? 0)}`,
      )
    }
    await side.end()
  }

  const rows = measured.map((each) => row(each, shape, measured))
  if (args.json) {
    const single = rows[0]
    if (args.against === undefined && single.failed !== undefined) {
      process.stderr.write(`${single.failed}\n`)
      process.exit(1)
    }
    const whole =
      args.against === undefined
        ? { config, ...single, threads, ...ownWay(), parameters: parameterCount(shape.model) }
        : {
            config,
            threads,
            ...ownWay(),
            parameters: parameterCount(shape.model),
            modes: rows,
            ...ratios(rows),
          }
    process.stdout.write(`${JSON.stringify(whole)}\n`)
  } else process.stdout.write(table(config, shape, rows, measured))
  for (const text of profiles) (args.json ? process.stderr : process.stdout).write(text)
}

/** How our side optimises and what it keeps. */
function ownWay() {
  return { optimizer: args.optimizer, optimizerState: args['optimizer-state'], recompute: args.recompute }
}

interface Opened {
  side: Side
  into: Measured
}

/** Starts the sides one after the other; one that fails says so in its row. */
async function openAll(measured: readonly Measured[], options: SideOptions): Promise<Opened[]> {
  const opened: Opened[] = []
  for (const into of measured) {
    try {
      process.stderr.write(`starting ${into.mode.side} ${modeName(into.mode)}\n`)
      const side = await Side.start(into.mode, options)
      const { version, isa, cpu, peakGigaflops } = side.hello
      Object.assign(into, { version, isa, cpu, peakGigaflops })
      opened.push({ side, into })
    } catch (error) {
      into.failed = error instanceof Error ? error.message : String(error)
    }
  }
  return opened
}

async function takeTurn({ side, into }: Opened, steps: number): Promise<void> {
  if (into.failed !== undefined) return
  try {
    // The threads of the one before spin for a moment.
    await setTimeout(100)
    const { times, peakRssBytes } = await side.run(steps)
    into.times.push(...times)
    into.peakRssBytes = peakRssBytes
  } catch (error) {
    into.failed = error instanceof Error ? error.message : String(error)
  }
}

type Row = ReturnType<typeof row>

function row(each: Measured, { model, batchSize, sequenceLength }: Shape, all: readonly Measured[]) {
  const { mode, version, isa, times, peakRssBytes, failed } = each
  const stepMs = median(times)
  const tokensPerSecond = ((batchSize * sequenceLength) / stepMs) * 1000
  const gigaflops = (trainFlopsPerToken(model, sequenceLength) * tokensPerSecond) / 1e9
  // PyTorch is held to the peak that ours measured for the same kind of number.
  const peak = all.find(
    ({ mode: { side, dtype } }) => side === 'smolforge' && dtype === mode.dtype,
  )?.peakGigaflops
  return {
    side: mode.side,
    mode: modeName(mode),
    dtype: mode.dtype,
    version,
    isa,
    tokensPerSecond: round(tokensPerSecond, 1),
    stepMs: round(stepMs, 3),
    fastestStepMs: round(Math.min(...times), 3),
    steps: times.length,
    peakRssBytes,
    gigaflops: round(gigaflops, 1),
    shareOfPeak: peak === undefined ? undefined : round(gigaflops / peak, 3),
    failed,
  }
}

/** Our best mode to PyTorch's best. */
function ratios(rows: readonly Row[]): { speedRatio?: number; memoryRatio?: number } {
  const best = (side: string) =>
    rows
      .filter((each) => each.side === side && each.failed === undefined && each.steps > 0)
      .sort((a, b) => b.tokensPerSecond - a.tokensPerSecond)
      .at(0)
  const [ours, theirs] = [best('smolforge'), best('torch')]
  if (ours === undefined || theirs === undefined) return {}
  return {
    speedRatio: round(ours.tokensPerSecond / theirs.tokensPerSecond, 3),
    memoryRatio: round(ours.peakRssBytes / theirs.peakRssBytes, 3),
  }
}

function table(config: string, shape: Shape, rows: readonly Row[], measured: readonly Measured[]): string {
  const { batchSize, sequenceLength, model } = shape
  const cpu = measured.find((each) => each.cpu !== undefined)?.cpu ?? 'unknown CPU'
  const head = `\n${config}: ${(parameterCount(model) / 1e6).toFixed(1)}M parameters, ${batchSize} x ${sequenceLength} tokens a step; ${cpu}, ${threads} threads\n`
  const lines = rows.map((each) => {
    const what = `${each.side.padEnd(10)} ${each.mode.padEnd(22)}`
    if (each.failed !== undefined) return `${what} failed: ${each.failed}`
    const share = each.shareOfPeak === undefined ? '-' : `${(100 * each.shareOfPeak).toFixed(0)} %`
    return [
      what,
      each.tokensPerSecond.toFixed(0).padStart(9),
      each.stepMs.toFixed(1).padStart(10),
      (each.peakRssBytes / 2 ** 30).toFixed(2).padStart(9),
      each.gigaflops.toFixed(0).padStart(8),
      share.padStart(8),
      `  ${each.version}, ${each.isa}`,
    ].join(' ')
  })
  const titles = `${'side'.padEnd(10)} ${'mode'.padEnd(22)}   tokens/s    ms/step   peak GiB  GFLOP/s      MFU   ran on`
  const peaks = measured
    .filter((each) => each.peakGigaflops !== undefined)
    .map((each) => `${each.mode.dtype} ${each.peakGigaflops?.toFixed(0)}`)
  const { speedRatio, memoryRatio } = ratios(rows)
  const tail =
    speedRatio === undefined
      ? ''
      : `our best to PyTorch's best: ${speedRatio}x the tokens/s, ${memoryRatio}x the peak memory\n`
  const { optimizer, optimizerState, recompute } = ownWay()
  const way = `smolforge with ${optimizer}, moments in ${optimizerState}${recompute ? ', activations computed again' : ''}\n`
  const isa = args.isa === undefined ? '' : `held to ${args.isa}\n`
  const failures = rows.filter((each) => each.failed).length
  const warning =
    failures > 0 ? `${failures} of ${rows.length} modes failed: the best is of the others\n` : ''
  return `${head}${titles}\n${lines.join('\n')}\nmeasured matmul peak in GFLOP/s: ${peaks.join(', ')}\n${way}${isa}${warning}${tail}`
}

function peerMode(name: string): Mode | undefined {
  const match = /^(f32|bf16)-(eager|compile)$/.exec(name)
  return match ? { side: 'torch', dtype: match[1] as Dtype, compile: match[2] === 'compile' } : undefined
}

/** What a process may take: weights, gradients, moments and logits as PyTorch keeps them, with its own code. */
function roughBytes({ model, batchSize, sequenceLength }: Shape): number {
  return 5e8 + 20 * parameterCount(model) + 12 * batchSize * sequenceLength * model.vocabSize
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}
