// npm run bench -- curate --stage decontaminate [--data ../shared/data] [--against FILE,...] [--threads 1,2] [--runs 3]
//   [--python PYTHON] [--sample 2000]
// `smolforge decontaminate` on mixed text against benchmarks, whole commands on files; with a Python that has datatrove
// its n-gram decontamination on a sample with planted items, and where the decisions differ.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readBenchmarkItems } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { describeRun, medianRun, runCommand } from './command.ts'
import { mixedCorpus } from './mixedCorpus.ts'

const shared = join(import.meta.dirname, '../../../shared')
const { values } = parseArgs({
  options: {
    data: { type: 'string', default: join(shared, 'data') },
    benchmarks: { type: 'string', default: join(shared, 'benchmarks') },
    against: { type: 'string', default: 'gsm8k,humaneval,math,mmlu,arc_challenge' },
    folder: { type: 'string', default: join(tmpdir(), 'smolforge-bench-curate') },
    threads: { type: 'string', default: '1,2' },
    runs: { type: 'string', default: '3' },
    python: { type: 'string' },
    sample: { type: 'string', default: '2000' },
  },
})
mkdirSync(values.folder, { recursive: true })
const input = await mixedCorpus(values.data, values.folder)
const output = join(values.folder, 'decontaminate.jsonl')
const files = values.against.split(',').map((name) => join(values.benchmarks, `${name}.jsonl.gz`))
const against = files.flatMap((file) => ['--against', file])
const megabytes = statSync(input).size / 1e6
say(`${megabytes.toFixed(1)} MB of JSON lines against ${values.against}`)
for (const threads of values.threads.split(',')) {
  for (const [name, more] of [
    ['13-grams', []],
    ['13-grams, subsequence 0.6', ['--min-lcs', '0.6']],
  ] as const) {
    const args = [
      'decontaminate',
      '--input',
      input,
      ...against,
      '--output',
      output,
      '--threads',
      threads,
      ...more,
    ]
    const run = await medianRun(args, Number(values.runs))
    say(
      `smolforge, ${name}, threads ${threads}: ${describeRun(run, megabytes)}; ${run.dropped.decontamination} dropped`,
    )
  }
}
if (values.python !== undefined) await compare(values.python, Number(values.sample))

interface Line {
  id: string
  keep: boolean
  value?: number
  item?: string
  ngram?: string
}

/** Both sides see one text for each item, question before answer, and 13-grams of it. */
async function compare(python: string, sample: number): Promise<void> {
  const random = new Random(3)
  const items = (await Promise.all(files.map((file) => readBenchmarkItems(file)))).flat()
  const itemsPath = join(values.folder, 'items.jsonl')
  const itemTexts = items.map(({ id, texts }) => ({ id, text: texts.join('\n') }))
  writeFileSync(itemsPath, itemTexts.map((item) => `${JSON.stringify(item)}\n`).join(''))
  const lines = readFileSync(input, 'utf8').trimEnd().split('\n')
  const step = Math.max(1, Math.floor(lines.length / sample))
  const documents = lines
    .filter((_, i) => i % step === 0)
    .map((line, i) => {
      const document = JSON.parse(line) as { id: string; text: string }
      if (i % 10 !== 0) return document
      // One in ten holds a run of 8 to 30 words of an item.
      const words = (random.pick(itemTexts).text ?? '').split(/\s+/)
      const from = random.int(Math.max(1, words.length - 12))
      const planted = words.slice(from, from + 8 + random.int(23)).join(' ')
      return { ...document, text: `${document.text}\n${planted}\n${document.text.slice(0, 200)}` }
    })
  const path = join(values.folder, 'decontaminate-sample.jsonl')
  writeFileSync(path, documents.map((document) => `${JSON.stringify(document)}\n`).join(''))
  const size = statSync(path).size / 1e6
  // Whole items below 13 words are ours alone: left out here.
  const args = ['--against', itemsPath, '--output', output, '--threads', '1', '--min-words', '13']
  const ours = await runCommand(['decontaminate', '--input', path, ...args])
  const theirs = join(values.folder, 'decontaminate-datatrove.jsonl')
  const script = join(import.meta.dirname, 'decontaminate.py')
  const report = execFileSync(python, [script, path, itemsPath, theirs], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const { seconds, peakMegabytes } = JSON.parse(report.trimEnd().split('\n').at(-1) ?? '')
  say(`\n${documents.length} documents, ${size.toFixed(1)} MB, ${items.length} items, one thread`)
  say(`smolforge: ${describeRun(ours, size)}`)
  say(
    `datatrove: ${seconds.toFixed(1)} s, ${(size / seconds).toFixed(2)} MB/s, peak ${peakMegabytes} MB (index not counted)`,
  )
  const [a, b] = [read(output), read(theirs)]
  const differ = a
    .map((line, i) => ({ line, other: b[i] }))
    .filter(({ line, other }) => line.keep !== other?.keep)
  const dropped = (found: readonly Line[]) => found.filter(({ keep }) => !keep).length
  say(
    `dropped: smolforge ${dropped(a)}, datatrove ${dropped(b)}; the same decision on ${(100 * (1 - differ.length / a.length)).toFixed(2)} %`,
  )
  for (const { line, other } of differ.slice(0, 12)) {
    say(
      `  ${line.id}: ${line.keep ? `datatrove only, "${other?.ngram}"` : `smolforge only, ${line.value} n-grams of ${line.item}`}`,
    )
  }
}

function read(path: string): Line[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
