// npm run bench -- curate --stage dedup [--data ../shared/data] [--threads 1,2] [--runs 3] [--python PYTHON] [--sample 3000]
// `smolforge dedup` (14 bands of 8 rows on 5-grams) on mixed text, whole commands on files; with a Python that has
// datatrove its MinHash on a sample of the same documents, and how far the clusters agree.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeRun, medianRun, runCommand } from './command.ts'
import { mixedCorpus } from './mixedCorpus.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: join(import.meta.dirname, '../../../shared/data') },
    folder: { type: 'string', default: join(tmpdir(), 'smolforge-bench-curate') },
    threads: { type: 'string', default: '1,2' },
    runs: { type: 'string', default: '3' },
    python: { type: 'string' },
    sample: { type: 'string', default: '3000' },
  },
})
mkdirSync(values.folder, { recursive: true })
const input = await mixedCorpus(values.data, values.folder)
const output = join(values.folder, 'dedup.jsonl')
const megabytes = statSync(input).size / 1e6
say(`${megabytes.toFixed(1)} MB of JSON lines`)
for (const threads of values.threads.split(',')) {
  for (const [name, more] of [
    ['14 x 8', []],
    ['14 x 8, verified at 0.8', ['--verify', '0.8']],
    ['exact', ['--exact']],
  ] as const) {
    const args = ['dedup', '--input', input, '--output', output, '--threads', threads, ...more]
    say(
      `smolforge, ${name}, threads ${threads}: ${describeRun(await medianRun(args, Number(values.runs)), megabytes)}`,
    )
  }
}
if (values.python !== undefined) await compare(values.python, Number(values.sample))

interface Line {
  id: string
  keep: boolean
  cluster: number
}

/** Both sides on every so-many-th document with its neighbours: pages of one kind stand together. */
async function compare(python: string, sample: number): Promise<void> {
  const lines = readFileSync(input, 'utf8').trimEnd().split('\n')
  const block = 50
  const step = Math.max(1, Math.floor(lines.length / sample)) * block
  const chosen = lines.filter((_, i) => i % step < block)
  const path = join(values.folder, 'dedup-sample.jsonl')
  writeFileSync(path, `${chosen.join('\n')}\n`)
  const size = statSync(path).size / 1e6
  const ours = await runCommand(['dedup', '--input', path, '--output', output, '--threads', '1'])
  const theirs = join(values.folder, 'dedup-datatrove.jsonl')
  const script = join(import.meta.dirname, 'dedup.py')
  const report = execFileSync(python, [script, path, theirs], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const { seconds, peakMegabytes } = JSON.parse(report.trimEnd().split('\n').at(-1) ?? '')
  say(`\n${chosen.length} documents, ${size.toFixed(1)} MB, one thread`)
  say(`smolforge: ${describeRun(ours, size)}`)
  say(`datatrove: ${seconds.toFixed(1)} s, ${(size / seconds).toFixed(2)} MB/s, peak ${peakMegabytes} MB`)
  const [a, b] = [read(output), read(theirs)]
  const same = a.filter(({ keep }, i) => keep === b[i]?.keep).length
  say(`kept: smolforge ${kept(a)}, datatrove ${kept(b)}; the same decision on ${percent(same / a.length)}`)
  const pairs = (found: readonly Line[]) =>
    new Set(found.filter((l) => !l.keep).map((l) => `${l.id} ${l.cluster}`))
  const [mine, other] = [pairs(a), pairs(b)]
  const both = [...mine].filter((pair) => other.has(pair)).length
  say(
    `dropped into the same cluster by both: ${both}; by smolforge only ${mine.size - both}, by datatrove only ${other.size - both}`,
  )
}

function read(path: string): Line[] {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}
function kept(lines: readonly Line[]): number {
  return lines.filter(({ keep }) => keep).length
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
