// npm run bench -- score --model PATH [--against transformers]: tokens a second of scoring texts as an evaluation does,
// in f32 and bf16; with transformers on the same weights taking turns.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LanguageModel } from '../src/model/index.ts'
import { Random } from '../src/random/random.ts'
import { configure, engineInfo, type Precision } from '../src/tensor/index.ts'
import { median } from './figures/median.ts'
import { benchPython } from './python.ts'

const USAGE = `npm run bench -- score --model PATH [--against transformers] [--threads n] [--texts n] [--rounds n]
  [--python PATH] [--json]
`
const { values: args } = parseArgs({
  options: {
    model: { type: 'string' },
    against: { type: 'string' },
    threads: { type: 'string' },
    texts: { type: 'string', default: '96' },
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
const model = await LanguageModel.load(args.model)
const random = new Random(1)
// As long as the questions and answers of the benchmarks: 20 to 200 tokens.
const sequences = Array.from({ length: Number(args.texts) }, () =>
  Uint32Array.from({ length: 20 + random.int(181) }, () => random.int(model.llama.config.vocabSize)),
)
const tokens = sequences.reduce((sum, ids) => sum + ids.length - 1, 0)

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
      const scores = model.tokenLogProbs(sequences)
      const elapsed = performance.now() - started
      mode.sums = scores.map((each) => each.reduce((sum, score) => sum + score, 0))
      return elapsed
    },
  }
  return mode
}

async function theirModes(): Promise<Mode[]> {
  const python = await benchPython({ python: args.python, transformers: true })
  await model.llama.save(folder)
  const file = join(folder, 'sequences.json')
  writeFileSync(file, JSON.stringify(sequences.map((ids) => [...ids])))
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
    tokensPerSecond: Math.round((tokens / median(times)) * 1000),
  }))
  const best = (own: boolean) =>
    Math.max(
      0,
      ...rows.filter(({ name }) => name.startsWith('smolforge') === own).map((r) => r.tokensPerSecond),
    )
  const ratio = best(false) > 0 ? Number((best(true) / best(false)).toFixed(2)) : undefined
  const reference = modes.find(({ name }) => name.includes('float32'))?.sums
  const largestDifference = reference && Math.max(...reference.map((x, i) => Math.abs(x - own(modes, i))))
  if (args.json) {
    process.stdout.write(`${JSON.stringify({ rows, ratio, threads, isa, largestDifference })}\n`)
    return
  }
  console.log(`${sequences.length} texts, ${tokens} tokens scored; ${cpu}, ${isa}, ${threads} threads`)
  for (const row of rows) {
    console.log(`${row.name.padEnd(56)} ${String(row.tokensPerSecond).padStart(7)} tokens/s`)
  }
  if (ratio !== undefined) console.log(`best of ours to best of theirs: ${ratio}x`)
  if (largestDifference !== undefined) {
    console.log(`largest difference of a text's sum in f32: ${largestDifference.toExponential(1)} nats`)
  }
}

function own(modes: readonly Mode[], text: number): number {
  return modes[0].sums?.[text] ?? Number.NaN
}
