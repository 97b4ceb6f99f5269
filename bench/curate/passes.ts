// npm run bench -- curate [--input texts.jsonl] [--threads 1,4]: MB/s of each native pass, best of three.
// Without an input the texts are this repository's own files, over and over up to 20 MB.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readDocuments } from '../../src/corpus/index.ts'
import { kernels } from '../../src/curate/kernels.ts'
import {
  columnOf,
  defaultCounting,
  type StatisticsField,
  statisticsFields,
} from '../../src/curate/statistics.ts'

const { values } = parseArgs({
  options: {
    input: { type: 'string' },
    threads: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  process.stdout.write('npm run bench -- curate [--input texts.jsonl|.gz|.zst] [--threads 1,4]\n')
  process.exit(0)
}
const texts = values.input === undefined ? repositoryTexts() : await inputTexts(values.input)
const megabytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6
process.stdout.write(
  `${texts.length} texts, ${megabytes.toFixed(1)} MB of UTF-8; MB/s, strings from JavaScript included\n`,
)

for (const threads of values.threads.split(',').map(Number)) {
  const { NgramIndex, ...native } = kernels()
  const index = new NgramIndex(
    texts.slice(0, 500).map((text) => text.slice(0, 600)),
    13,
    5,
  )
  const weights = new Float32Array(2 ** 18)
  const plan = (first: StatisticsField, end?: StatisticsField) => ({
    ...defaultCounting,
    columns: statisticsFields.slice(columnOf(first), end && columnOf(end)).map(columnOf),
    afterC4: [],
    keepTexts: first === 'c4LoremIpsumLines',
  })
  const passes: Record<string, () => unknown> = {
    'language (first 2,000 letters)': () => native.detectLanguages(texts, 2000, threads),
    'statistics (Gopher, FineWeb)': () =>
      native.textStatistics(texts, plan('words', 'c4LoremIpsumLines'), threads),
    'statistics (code)': () => native.textStatistics(texts, plan('averageLineLength'), threads),
    'C4 lines': () => native.textStatistics(texts, plan('c4LoremIpsumLines', 'averageLineLength'), threads),
    'exact dedup hashes': () => native.textHashes(texts, threads),
    'decontamination, 13-grams': () => index.scan(texts, threads),
    'linear classifier': () => native.scoreLinear(texts, weights, 0, 2000, [], threads),
  }
  process.stdout.write(`\n${threads} ${threads === 1 ? 'thread' : 'threads'}\n`)
  for (const [name, pass] of Object.entries(passes)) {
    let seconds = Number.POSITIVE_INFINITY
    for (let round = 0; round < 3; round++) seconds = Math.min(seconds, await timed(pass))
    process.stdout.write(`  ${name.padEnd(36)} ${(megabytes / seconds).toFixed(1).padStart(8)}\n`)
  }
}

async function timed(pass: () => unknown): Promise<number> {
  const start = performance.now()
  await pass()
  return (performance.now() - start) / 1000
}

async function inputTexts(path: string): Promise<string[]> {
  const texts: string[] = []
  for await (const batch of readDocuments(path)) texts.push(...batch.map(({ text }) => text))
  return texts
}

function repositoryTexts(): string[] {
  const root = join(import.meta.dirname, '../..')
  const files = ['src', 'test', 'docs', 'native/crates'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
      join(root, folder, file),
    ),
  )
  const own = files.filter((file) => /\.(ts|rs|md)$/.test(file) && statSync(file).isFile())
  const texts = own.map((file) => readFileSync(file, 'utf8'))
  const bytes = texts.reduce((sum, text) => sum + text.length, 0)
  return Array.from({ length: Math.ceil(20e6 / bytes) }, () => texts).flat()
}
