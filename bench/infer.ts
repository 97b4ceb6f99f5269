/**
 * Tokens a second of a prompt and of generation, and milliseconds to the first token of a new process. With
 * `--against llama.cpp` both sides take turns in one run, each at its own best number of threads.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { explainError, SmolforgeError } from '../src/errors.ts'
import { installLlamaCpp } from './infer/peer.ts'
import { InferSide, type SideProgram } from './infer/side.ts'

const USAGE = `npm run bench -- infer --model FILE [--threads n] [--dtype bf16|f32] [--tokens n] [--json] [--profile]
  [--against llama.cpp]
`
const PROMPT = 512
const ROUNDS = 5

interface Figures {
  side: string
  threads: { prefill: number; decode: number }
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
  firstTokenMs: number
  peakRssBytes: number
}

const { values: args } = parseArgs({
  options: {
    model: { type: 'string' },
    threads: { type: 'string' },
    dtype: { type: 'string', default: 'bf16' },
    tokens: { type: 'string', default: '64' },
    against: { type: 'string' },
    json: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const tokens = Number(args.tokens)
const threads = args.threads === undefined ? undefined : Number(args.threads)
const usable =
  args.model !== undefined &&
  ['bf16', 'f32'].includes(args.dtype) &&
  (args.against === undefined || args.against === 'llama.cpp') &&
  Number.isInteger(tokens) &&
  tokens > 0 &&
  (threads === undefined || (Number.isInteger(threads) && threads > 0))
if (args.help || !usable) {
  process.stderr.write(USAGE)
  process.exit(args.help ? 0 : 2)
}

try {
  await bench(args.model ?? '')
} catch (error) {
  process.stderr.write(`${explainError(error)}\n`)
  process.exit(1)
}

async function bench(model: string): Promise<void> {
  const ours = (count: number): SideProgram => ({
    name: 'smolforge',
    script: 'smolforge.mjs',
    args: [model, `${count}`, args.dtype],
  })
  if (args.against === undefined) {
    const [figures] = await measure([{ program: ours, threads: [threads ?? availableParallelism()] }])
    const { side: _, threads: __, ...line } = figures
    process.stdout.write(args.json ? `${JSON.stringify(line)}\n` : table([figures]))
    return
  }
  const folder = installLlamaCpp()
  const theirs = (count: number): SideProgram => ({
    name: 'llama.cpp',
    script: 'llamaCpp.mjs',
    args: [model, `${count}`, folder],
  })
  const counts = threads === undefined ? upTo(availableParallelism()) : [threads]
  const both = await measure([
    { program: ours, threads: counts },
    { program: theirs, threads: counts },
  ])
  const [us, peer] = both
  const ratios = {
    prefill: us.prefillTokensPerSecond / peer.prefillTokensPerSecond,
    decode: us.decodeTokensPerSecond / peer.decodeTokensPerSecond,
    firstToken: peer.firstTokenMs / us.firstTokenMs,
  }
  if (args.json) {
    process.stdout.write(`${JSON.stringify({ sides: both, ratios })}\n`)
    return
  }
  const show = (name: string, ratio: number) => `${name} ${ratio.toFixed(2)}x`
  const summary = [
    show('prefill', ratios.prefill),
    show('decode', ratios.decode),
    show('first token', ratios.firstToken),
  ]
  process.stdout.write(`${table(both)}\nfaster than llama.cpp: ${summary.join(', ')}\n`)
}

interface Contender {
  program: (threads: number) => SideProgram
  threads: readonly number[]
}

/** A contender with one number of threads, and its milliseconds. */
interface Entry {
  index: number
  count: number
  side: InferSide
  prefill: number[]
  decode: number[]
  first: number[]
}

/** Every contender at every number of threads, taking turns; the best medians of each contender. */
async function measure(contenders: readonly Contender[]): Promise<Figures[]> {
  const entries: Entry[] = []
  for (const [index, { program, threads: counts }] of contenders.entries()) {
    for (const count of counts) {
      const side = new InferSide(program(count))
      await started(side, program(count).name)
      entries.push({ index, count, side, prefill: [], decode: [], first: [] })
    }
  }
  for (const { side } of entries) await side.ask(`prefill ${PROMPT}`)
  for (let round = 0; round < ROUNDS; round++) {
    for (const each of entries) each.prefill.push(await each.side.ask(`prefill ${PROMPT}`))
    for (const each of entries) each.decode.push(await each.side.ask(`decode ${tokens}`))
    for (const each of entries) each.first.push(await firstToken(contenders[each.index].program(each.count)))
  }
  if (args.profile) {
    const [{ side }] = entries
    for (const task of [`decode ${tokens}`, `prefill ${PROMPT}`]) {
      await side.ask('profile')
      await side.ask(task)
      process.stderr.write(`${task}\n${JSON.stringify(await side.ask('profile'), null, 1)}\n`)
    }
  }
  for (const { side } of entries) await side.end()
  return contenders.map(({ program }, index) => {
    const own = entries.filter((each) => each.index === index)
    const best = (times: (each: Entry) => number[]) =>
      own.reduce((least, each) => (median(times(each)) < median(times(least)) ? each : least))
    const prefill = best((each) => each.prefill)
    const decode = best((each) => each.decode)
    return {
      side: program(1).name,
      threads: { prefill: prefill.count, decode: decode.count },
      prefillTokensPerSecond: rounded((PROMPT / median(prefill.prefill)) * 1000),
      decodeTokensPerSecond: rounded((tokens / median(decode.decode)) * 1000),
      firstTokenMs: rounded(Math.min(...own.map((each) => median(each.first)))),
      peakRssBytes: Math.max(prefill.side.peakRssBytes, decode.side.peakRssBytes),
    }
  })
}

async function started(side: InferSide, name: string): Promise<void> {
  try {
    await side.ask('hello')
  } catch (cause) {
    throw new SmolforgeError('environment', `${name} did not start: ${(cause as Error).message}`, { cause })
  }
}

async function firstToken(program: SideProgram): Promise<number> {
  const side = new InferSide(program)
  const elapsed = await side.ask<number>('first')
  await side.end()
  return elapsed
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1).filter((n) => n <= 4 || n === count || n % 4 === 0)
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10
}

function table(rows: readonly Figures[]): string {
  const lines = rows.map(
    (row) =>
      `${row.side.padEnd(10)} prefill of ${PROMPT} ${`${row.prefillTokensPerSecond}`.padStart(7)} tok/s (${row.threads.prefill} threads)` +
      `  decode ${`${row.decodeTokensPerSecond}`.padStart(6)} tok/s (${row.threads.decode} threads)` +
      `  first token ${`${row.firstTokenMs}`.padStart(6)} ms  peak ${Math.round(row.peakRssBytes / 2 ** 20)} MB`,
  )
  return `${lines.join('\n')}\n`
}
