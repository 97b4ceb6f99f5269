// npm run bench -- curate --against datatrove [--python PYTHON] [--megabytes 8] [--rounds 3] [--stages filters,dedup]
//   [--threads 1,4]
// The stages of a curation, files in and files out, each side with the program that its users run: ours the command
// line, theirs datatrove's local executor with its defaults. Every stage has the same input on both sides, on one core,
// to which both are held, and on all; seconds are what each side says of itself, without the start of Node and Python and their imports.
import { spawnSync } from 'node:child_process'
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { median } from '../figures/median.ts'
import { onCores } from './oneCore.ts'

const root = join(import.meta.dirname, '../..')
const shared = join(root, '../shared')
const stageNames = ['extraction', 'filters', 'dedup', 'decontamination', 'tokens'] as const
type Stage = (typeof stageNames)[number]

interface Measured {
  seconds: number
  peakBytes: number
  /** Of the documents that are left; undefined where the stage drops none. */
  ids?: Set<string>
  /** The documents of each cluster of duplicates. */
  clusters?: Map<unknown, string[]>
}

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    python: { type: 'string' },
    pages: { type: 'string', default: join(shared, 'data/web-pages.warc.gz') },
    megabytes: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    stages: { type: 'string', default: stageNames.join(',') },
    threads: { type: 'string', default: [...new Set([1, availableParallelism()])].join(',') },
    help: { type: 'boolean' },
  },
})
const wanted = values.stages.split(',').map((name) => stageNames.find((stage) => stage === name))
const against = values.against === 'datatrove' ? (values.python ?? 'python3') : undefined
if (values.help || wanted.includes(undefined) || (values.against !== undefined && against === undefined)) {
  process.stderr.write(
    'npm run bench -- curate --against datatrove [--python PYTHON] [--megabytes 8] [--rounds 3]\n' +
      `  [--pages pages.warc.gz] [--stages ${stageNames.join(',')}] [--threads 1,4]\n` +
      'PYTHON has datatrove[processing,io], trafilatura and spacy.\n',
  )
  process.exit(values.help ? 0 : 2)
}
if (!existsSync(values.pages)) {
  process.stderr.write(`No pages at ${values.pages}: name a .warc.gz file with --pages\n`)
  process.exit(2)
}

/** Says the peak memory of the process that imports it when it ends. */
const PEAK = `import { writeFileSync } from 'node:fs'
process.on('exit', () => writeFileSync(process.env.SMOLFORGE_BENCH_PEAK, String(process.resourceUsage().maxRSS)))`

const say = (line: string) => process.stdout.write(`${line}\n`)
const work = mkdtempSync(join(tmpdir(), 'smolforge-curate-'))
try {
  await measure()
} finally {
  rmSync(work, { recursive: true })
}

async function measure(): Promise<void> {
  const cores = availableParallelism()
  const texts = join(work, 'texts.jsonl')
  const htmlBytes = await prepare(texts)
  const textBytes = statSync(texts).size
  const tokenizer = join(work, 'tokenizer')
  if (wanted.includes('tokens'))
    command(['tokenizer', 'train', '--input', texts, '--vocab', '16384', '--output', tokenizer], 'training')
  say(
    `${cpus()[0]?.model}, ${cores} cores; ${(htmlBytes / 1e6).toFixed(1)} MB of WARC, ${(textBytes / 1e6).toFixed(1)} MB of JSON lines`,
  )
  const totals = new Map<number, { ours: number; theirs: number }>()
  for (const threads of values.threads.split(',').map(Number)) {
    say(`\n${threads} ${threads === 1 ? 'core' : 'cores'}`)
    const total = { ours: 0, theirs: 0 }
    for (const stage of wanted) {
      if (stage === undefined) continue
      const bytes = stage === 'extraction' ? htmlBytes : textBytes
      const ours = best(
        Array.from({ length: Number(values.rounds) }, () => runOurs(stage, texts, tokenizer, threads)),
      )
      row(stage, 'smolforge', ours, bytes)
      total.ours += ours.seconds
      if (against === undefined) continue
      const theirs = runTheirs(against, stage, texts, tokenizer, threads)
      row('', 'datatrove', theirs, bytes)
      const same =
        ours.clusters === undefined ? agreement(ours.ids, theirs.ids) : survivors(ours, theirs, texts)
      say(`${' '.repeat(17)}${(theirs.seconds / ours.seconds).toFixed(1)}x${same}`)
      total.theirs += theirs.seconds
    }
    totals.set(threads, total)
    const ratio =
      against === undefined
        ? ''
        : `, datatrove ${total.theirs.toFixed(1)} s: ${(total.theirs / total.ours).toFixed(1)}x`
    say(`whole            smolforge ${total.ours.toFixed(2)} s${ratio}`)
  }
  const [one, all] = [totals.get(1), totals.get(cores)]
  if (one && all && cores > 1)
    say(`\nsmolforge on ${cores} cores: ${(one.ours / all.ours).toFixed(2)} times one core`)
}

/** Pages' texts first, then code and instructions up to the size that is asked for. Gives the bytes of the pages, unpacked. */
async function prepare(texts: string): Promise<number> {
  const pages = join(work, 'pages.jsonl')
  command(['extract', '--input', values.pages, '--output', pages], 'extraction')
  const lines: string[] = []
  let bytes = 0
  const add = (id: string, text: unknown) => {
    if (bytes > Number(values.megabytes) * 1e6 || typeof text !== 'string' || text === '') return
    const line = JSON.stringify({ id, text })
    bytes += Buffer.byteLength(line) + 1
    lines.push(line)
  }
  for await (const line of createInterface({ input: createReadStream(pages) })) {
    const { url, text } = JSON.parse(line)
    add(url, text)
  }
  for (const [name, field] of [
    ['code-python', 'text'],
    ['instructions-t0', 'prompt'],
  ]) {
    const file = join(shared, 'data', `${name}.jsonl.gz`)
    if (!existsSync(file)) continue
    const all = gunzipSync(readFileSync(file)).toString().trim().split('\n')
    for (const [at, line] of all.entries()) add(`${name}:${at}`, JSON.parse(line)[field])
  }
  writeFileSync(texts, `${lines.join('\n')}\n`)
  const packed = readFileSync(values.pages)
  return values.pages.endsWith('.gz') ? gunzipSync(packed).length : packed.length
}

/** Benchmark items as both sides take them: one text each. */
function itemsFile(): string {
  const file = join(work, 'items.jsonl')
  if (existsSync(file)) return file
  const lines = ['gsm8k', 'arc_easy', 'hellaswag'].flatMap((name) => {
    const source = join(shared, 'benchmarks', `${name}.jsonl.gz`)
    if (!existsSync(source)) return []
    const items = gunzipSync(readFileSync(source)).toString().trim().split('\n')
    return items.map((item) =>
      JSON.stringify({ text: Object.values(JSON.parse(item)).filter(isText).join(' ') }),
    )
  })
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function runOurs(
  stage: Stage,
  texts: string,
  tokenizer: string,
  threads: number,
  more: readonly string[] = [],
): Measured {
  const output = join(work, 'ours.jsonl')
  const files = ['--input', stage === 'extraction' ? values.pages : texts, '--output', output]
  const options: Record<Stage, string[]> = {
    extraction: ['extract', ...files],
    filters: ['filter', '--rules', 'gopher-repetition,gopher-quality,c4,fineweb', ...files],
    dedup: ['dedup', '--bands', '14', '--rows', '8', '--ngram', '5', ...files],
    decontamination: ['decontaminate', '--against', itemsFile(), ...files],
    tokens: ['tokenizer', 'encode', '--tokenizer', tokenizer, ...files],
  }
  const threaded = stage === 'tokens' ? [] : ['--threads', `${threads}`]
  const { seconds, peakBytes } = command([...options[stage], ...threaded, ...more], stage, threads)
  if (stage === 'tokens') return { seconds, peakBytes }
  const ids = new Set<string>()
  const clusters = new Map<unknown, string[]>()
  for (const line of readFileSync(output, 'utf8').trim().split('\n')) {
    const { id, url, keep, cluster } = JSON.parse(line)
    if (keep !== false) ids.add(id ?? url)
    if (stage === 'dedup') clusters.set(cluster, [...(clusters.get(cluster) ?? []), id])
  }
  return { seconds, peakBytes, ids, clusters: stage === 'dedup' ? clusters : undefined }
}

/** Runs a command of ours; its seconds are those of its line of statistics. */
function command(
  args: readonly string[],
  what: string,
  threads = availableParallelism(),
): { seconds: number; peakBytes: number } {
  const peak = join(work, 'peak.txt')
  const started = performance.now()
  const preload = `data:text/javascript,${encodeURIComponent(PEAK)}`
  const main = [process.execPath, '--import', preload, join(root, 'dist/cli/main.js')]
  const [program = '', ...rest] = onCores(threads, [...main, ...args])
  const { status, stderr } = spawnSync(program, rest, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, SMOLFORGE_BENCH_PEAK: peak },
  })
  if (status !== 0) throw new Error(`${what} failed: ${stderr.slice(-2000)}`)
  const wall = (performance.now() - started) / 1000
  const last = stderr.trim().split('\n').at(-1) ?? ''
  const seconds = last.startsWith('{') ? Number(JSON.parse(last).seconds) : wall
  return { seconds, peakBytes: Number(readFileSync(peak, 'utf8')) * 1024 }
}

function runTheirs(
  python: string,
  stage: Stage,
  texts: string,
  tokenizer: string,
  workers: number,
): Measured {
  const input = stage === 'extraction' ? pageFolder(python, workers) : textFolder(texts, workers)
  return datatrove(python, { stage, input, workers, tokenizer, items: itemsFile() })
}

function datatrove(python: string, job: Record<string, unknown>): Measured {
  const argument = JSON.stringify({ ...job, work: join(work, `${job.stage}-theirs`) })
  const script = [python, join(import.meta.dirname, 'whole.py'), argument]
  const [program = '', ...rest] = onCores(Number(job.workers), script)
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`datatrove's ${job.stage} failed: ${stderr.slice(-2000)}`)
  const { seconds, ids, peakBytes } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  return { seconds, peakBytes, ids: job.stage === 'tokens' ? undefined : new Set(ids) }
}

/** A folder with one file for each worker. */
function textFolder(texts: string, workers: number): string {
  const folder = join(work, `texts-${workers}`)
  if (existsSync(folder)) return folder
  mkdirSync(folder)
  const lines = readFileSync(texts, 'utf8').trim().split('\n')
  for (let at = 0; at < workers; at++) {
    const part = lines.filter((_, line) => line % workers === at)
    writeFileSync(join(folder, `${at}.jsonl`), `${part.join('\n')}\n`)
  }
  return folder
}

function pageFolder(python: string, workers: number): string {
  const folder = join(work, 'split-theirs', 'kept')
  if (!existsSync(folder) || readdirSync(folder).length !== workers) {
    datatrove(python, { stage: 'split', input: values.pages, workers })
  }
  return folder
}

function best(rounds: readonly Measured[]): Measured {
  return {
    seconds: median(rounds.map(({ seconds }) => seconds)),
    peakBytes: Math.max(...rounds.map(({ peakBytes }) => peakBytes)),
    ids: rounds[0]?.ids,
    clusters: rounds[0]?.clusters,
  }
}

function row(stage: string, side: string, { seconds, peakBytes, ids }: Measured, bytes: number): void {
  const cells = [
    stage.padEnd(16),
    side.padEnd(10),
    `${seconds.toFixed(2)} s`.padStart(10),
    `${(bytes / 1e6 / seconds).toFixed(2)} MB/s`.padStart(14),
    ids === undefined ? ''.padStart(16) : `${ids.size} documents`.padStart(16),
    `${(peakBytes / 2 ** 20).toFixed(0)} MiB`.padStart(10),
  ]
  say(cells.join(' '))
}

/**
 * How many of our clusters have one document left on their side. Which of a cluster stays differs, and documents whose
 * similarity is near the threshold are luck of the hashes: our own with another seed say how much.
 */
function survivors(ours: Measured, theirs: Measured, texts: string): string {
  const clusters = [...(ours.clusters?.values() ?? [])]
  const agree = (left: Set<string> = new Set()) => {
    const one = clusters.filter((ids) => ids.filter((id) => left.has(id)).length === 1).length
    return `${one} of ${clusters.length}`
  }
  const again = runOurs('dedup', texts, '', 1, ['--seed', '2'])
  return `; clusters with one document left: ${agree(theirs.ids)}, and in ours with other hashes ${agree(again.ids)}`
}

/** How far both sides leave the same documents. */
function agreement(ours: Set<string> | undefined, theirs: Set<string> | undefined): string {
  if (ours === undefined || theirs === undefined) return ''
  const both = [...ours].filter((id) => theirs.has(id)).length
  return `; both keep ${both}, smolforge alone ${ours.size - both}, datatrove alone ${theirs.size - both}`
}
