// npm run bench -- score --model PATH [--against transformers]: tokens a second of scoring texts as an evaluation does,
// in f32 and bf16; with transformers on the same weights taking turns.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ITEMS_PER_CALL } from '../src/eval/evaluate.ts'
import { type BenchmarkName, benchmarkTask } from '../src/eval/index.ts'
import { LanguageModel } from '../src/model/index.ts'
import { Random } from '../src/random/random.ts'
import { configure, engineInfo, type Precision } from '../src/tensor/index.ts'
import { median } from './figures/median.ts'
import { benchPython } from './python.ts'

const USAGE = `npm run bench -- score --model PATH [--against transformers] [--threads n] [--texts n] [--rounds n]
  [--items hellaswag,arc_easy,piqa --benchmarks FOLDER [--limit n]] [--python PATH] [--json]
`
const { values: args } = parseArgs({
  options: {
    model: { type: 'string' },
    against: { type: 'string' },
    threads: { type: 'string' },
    texts: { type: 'string', default: '96' },
    items: { type: 'string' },
    benchmarks: { type: 'string' },
    limit: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '3' },
    python: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (args.help || args.model === undefined || ![undefined, 'transformers'].includes(args.against)) {
  process.stderr.write(USAGE)
  process.exit(args.help ? 0 : 2)
}
configure({ threads: args.threads === undefined ? undefined : Number(args.threads) })
const { threads, isa, cpu } = engineInfo()
// As `eval` has it: what is not f32 stays as it is stored.
const model = await LanguageModel.open(args.model)
const work = args.items === undefined ? randomTexts() : await choiceItems(args.items.split(','))

/** What both sides score: tokens and the first position that is asked for; and how ours does it. */
interface Work {
  what: string
  unit: string
  count: number
  sequences: { ids: Uint32Array; from: number }[]
  score(): number[]
}

/** Whole texts as long as the questions and answers of the benchmarks: 20 to 200 tokens. */
function randomTexts(): Work {
  const random = new Random(1)
  const texts = Array.from({ length: Number(args.texts) }, () =>
    Uint32Array.from({ length: 20 + random.int(181) }, () => random.int(model.llama.config.vocabSize)),
  )
  const tokens = texts.reduce((sum, ids) => sum + ids.length - 1, 0)
  return {
    what: `${texts.length} texts, ${tokens} tokens scored`,
    unit: 'tokens',
    count: tokens,
    sequences: texts.map((ids) => ({ ids, from: 1 })),
    score: () => model.tokenLogProbs(texts).map((scores) => scores.reduce((sum, score) => sum + score, 0)),
  }
}

/** Items of multiple-choice benchmarks: each choice after its question, in batches as `eval` asks for them. */
async function choiceItems(names: readonly string[]): Promise<Work> {
  const limit = Number(args.limit)
  const questions = []
  for (const name of names) {
    const path = join(args.benchmarks ?? '../shared/benchmarks', `${name}.jsonl.gz`)
    const task = await benchmarkTask(name as BenchmarkName, path, { limit })
    if (task.kind === 'choice') questions.push(...task.items)
  }
  const queries = questions.map(({ prompt, choices }) =>
    choices.map((continuation) => ({ context: prompt, continuation })),
  )
  const sequences = queries.flat().map(({ context, continuation }) => ({
    ids: model.tokenizer.encode(context + continuation),
    from: model.tokenizer.encode(context.trimEnd()).length,
  }))
  return {
    what: `${questions.length} items of ${names.join(', ')}, ${sequences.length} choices`,
    unit: 'items',
    count: questions.length,
    sequences,
    score: () => {
      const sums: number[] = []
      for (let at = 0; at < queries.length; at += ITEMS_PER_CALL) {
        const asked = queries.slice(at, at + ITEMS_PER_CALL).flat()
        sums.push(...model.logLikelihoods(asked).map(({ sum }) => sum))
      }
      return sums
    },
  }
}

interface Mode {
  name: string
  times: number[]
  sums?: number[]
  round(): Promise<number>
  end?(): void
}

const folder = mkdtempSync(join(tmpdir(), 'smolforge-score-'))
try {
  const modes: Mode[] = (['f32', 'bf16'] as const).map(ownMode)
  if (args.against !== undefined) modes.push(...(await theirModes()))
  for (const mode of modes) await mode.round()
  for (let round = 0; round < Number(args.rounds); round++) {
    for (const mode of modes) mode.times.push(await mode.round())
  }
  for (const mode of modes) mode.end?.()
  print(modes)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function ownMode(precision: Precision): Mode {
  const mode: Mode = {
    name: `smolforge ${precision}`,
    times: [],
    async round() {
      configure({ precision })
      const started = performance.now()
      mode.sums = work.score()
      const elapsed = performance.now() - started
      return elapsed
    },
  }
  return mode
}

async function theirModes(): Promise<Mode[]> {
  const python = await benchPython({ python: args.python, transformers: true })
  const whole = await LanguageModel.load(args.model as string)
  await whole.llama.save(folder)
  whole.llama.free()
  const file = join(folder, 'sequences.json')
  writeFileSync(file, JSON.stringify(work.sequences.map(({ ids, from }) => [[...ids], from])))
  const script = fileURLToPath(new URL('./transformersScore.py', import.meta.url))
  const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...env } = process.env
  return Promise.all(
    ['float32', 'bfloat16'].map(async (dtype) => {
      const child = spawn(python, [script, folder, file, dtype, String(threads)], { env })
      child.stderr.pipe(process.stderr)
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const answer = async () => {
        const { value, done } = await lines.next()
        if (done) throw new Error(`${python} ended: has it transformers?`)
        return JSON.parse(value)
      }
      const { version, torch } = await answer()
      const mode: Mode = {
        name: `transformers ${version} ${dtype} (torch ${torch})`,
        times: [],
        async round() {
          child.stdin.write('\n')
          const { ms, sums } = (await answer()) as { ms: number; sums?: number[] }
          mode.sums ??= sums
          return ms
        },
        end: () => child.stdin.end(),
      }
      return mode
    }),
  )
}

function print(modes: readonly Mode[]): void {
  const rows = modes.map(({ name, times }) => ({
    name,
    perSecond: Number(((work.count / median(times)) * 1000).toFixed(work.unit === 'items' ? 2 : 0)),
  }))
  const best = (own: boolean) =>
    Math.max(0, ...rows.filter(({ name }) => name.startsWith('smolforge') === own).map((r) => r.perSecond))
  const ratio = best(false) > 0 ? Number((best(true) / best(false)).toFixed(2)) : undefined
  const reference = modes.find(({ name }) => name.includes('float32'))?.sums
  const largestDifference = reference && Math.max(...reference.map((x, i) => Math.abs(x - own(modes, i))))
  if (args.json) {
    process.stdout.write(
      `${JSON.stringify({ unit: work.unit, rows, ratio, threads, isa, largestDifference })}\n`,
    )
    return
  }
  console.log(`${work.what}; ${cpu}, ${isa}, ${threads} threads`)
  for (const row of rows) {
    console.log(`${row.name.padEnd(56)} ${String(row.perSecond).padStart(7)} ${work.unit}/s`)
  }
  if (ratio !== undefined) console.log(`best of ours to best of theirs: ${ratio}x`)
  if (largestDifference !== undefined) {
    console.log(`largest difference of a text's sum in f32: ${largestDifference.toExponential(1)} nats`)
  }
}

function own(modes: readonly Mode[], text: number): number {
  return modes[0].sums?.[text] ?? Number.NaN
}
