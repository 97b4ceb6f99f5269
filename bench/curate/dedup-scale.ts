// npm run bench -- curate --stage dedup-scale [--documents 5000000] [--data ../shared/data] [--folder /tmp]:
// `smolforge dedup` (14 bands of 8 rows on 5-grams) on synthetic-plus-real documents with planted near-duplicates of known Jaccard similarity. Reports
// seconds, peak memory, scratch bytes, and recall and precision against what was planted.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { readTextBatches } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '5000000' },
    data: { type: 'string', default: join(import.meta.dirname, '../../../shared/data') },
    folder: { type: 'string', default: tmpdir() },
    verify: { type: 'string' },
    python: { type: 'string' },
    threads: { type: 'string' },
  },
})
const count = Number(values.documents)
const NGRAM = 5
/** One in five documents is a copy of one of the 1,000 before it, with so many of its 60 words replaced. */
const EDITS = [0, 1, 2, 3, 5, 8]
const WORDS = 60

const folder = mkdtempSync(join(values.folder, 'smolforge-scale-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
const input = join(folder, 'docs.jsonl')
const planted = await generate()
await measure()

interface Planted {
  /** The document that each is a copy of, itself where it is none. */
  source: Uint32Array
  jaccard: Float32Array
}

/** Passages of real documents, each word followed by chance; every passage begins with its own number in words. */
async function generate(): Promise<Planted> {
  const vocabulary = await realPassages()
  const random = new Random(20)
  const source = new Uint32Array(count)
  const jaccard = new Float32Array(count)
  const recent: { at: number; words: string[] }[] = []
  const output = createWriteStream(input)
  const started = performance.now()
  let bytes = 0
  let lines: string[] = []
  for (let i = 0; i < count; i++) {
    let words: string[]
    const from = random.int(5) === 0 && recent.length > 0 ? recent[random.int(recent.length)] : undefined
    if (from) {
      words = [...from.words]
      for (let edits = EDITS[random.int(EDITS.length)] ?? 0; edits > 0; edits--) {
        words[random.int(WORDS)] = `${wordOf(random, vocabulary)}${random.int(1e6)}`
      }
      source[i] = from.at
      jaccard[i] = similarity(words, from.words)
    } else {
      const passage = vocabulary[random.int(vocabulary.length)] ?? []
      const start = random.int(Math.max(1, passage.length - WORDS))
      words = Array.from({ length: WORDS }, (_, at) =>
        // Every third word is another: passages that are drawn twice share no shingle.
        at % 3 === 2 ? wordOf(random, vocabulary) : (passage[start + at] ?? wordOf(random, vocabulary)),
      )
      source[i] = i
      recent[i % 1000] = { at: i, words }
    }
    lines.push(`{"id":${i},"text":${JSON.stringify(words.join(' '))}}\n`)
    if (lines.length === 4096 || i === count - 1) {
      const text = lines.join('')
      bytes += Buffer.byteLength(text)
      if (!output.write(text)) await once(output, 'drain')
      lines = []
    }
  }
  output.end()
  await once(output, 'finish')
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  say(`${count} documents, ${(bytes / 1e9).toFixed(2)} GB of JSON lines, made in ${seconds} s`)
  return { source, jaccard }
}

function wordOf(random: Random, passages: readonly string[][]): string {
  const passage = passages[random.int(passages.length)] ?? []
  return passage[random.int(passage.length)] ?? 'word'
}

async function realPassages(): Promise<string[][]> {
  const passages: string[][] = []
  for (const name of ['commands-multilingual', 'code-python']) {
    for await (const batch of readTextBatches(join(values.data, `${name}.jsonl.gz`))) {
      for (let i = 0; i < batch.length; i++) {
        const words = batch.text(i).match(/[\p{L}\p{N}]+/gu) ?? []
        if (words.length > WORDS) passages.push(words.slice(0, 2000))
      }
    }
  }
  return passages
}

function similarity(a: readonly string[], b: readonly string[]): number {
  const shingles = (words: readonly string[]) =>
    new Set(Array.from({ length: words.length - NGRAM + 1 }, (_, i) => words.slice(i, i + NGRAM).join(' ')))
  const [x, y] = [shingles(a), shingles(b)]
  let shared = 0
  for (const shingle of x) if (y.has(shingle)) shared++
  return shared / (x.size + y.size - shared)
}

async function measure(): Promise<void> {
  const output = join(folder, 'out.jsonl')
  const main = join(import.meta.dirname, '../../src/cli/main.ts')
  const args = ['--import', 'tsx', main, 'dedup', '--input', input, '--output', output, '--json']
  if (values.verify) args.push('--verify', values.verify)
  if (values.threads) args.push('--threads', values.threads)
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data) => {
    stdout += data
  })
  child.stderr.on('data', (data) => {
    stderr += data
  })
  const watch = watchMemory(child.pid ?? 0)
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(stderr)
  const { kept, clusters, scratchBytes } = JSON.parse(stdout) as Record<string, number>
  const { seconds } = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as { seconds: number }
  say(
    `${seconds.toFixed(1)} s (${Math.round(count / seconds)} documents/s), peak ${watch.peak()} MB of memory`,
  )
  say(
    `${(scratchBytes / 1e9).toFixed(2)} GB of scratch files; ${kept} kept, ${clusters} clusters lost documents`,
  )
  await compare(output)
}

/** The most resident memory that the process had, in MB, as the kernel counts it. */
function watchMemory(pid: number): { peak(): number } {
  let peak = 0
  const timer = setInterval(async () => {
    const { readFile } = await import('node:fs/promises')
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1000)
  }, 200)
  timer.unref()
  return { peak: () => Math.round(peak) }
}

/** Recall of planted copies by their similarity; precision: documents that share a cluster with one not planted so. */
async function compare(output: string): Promise<void> {
  const cluster = new Uint32Array(count)
  let at = 0
  for await (const line of createInterface({ input: createReadStream(output) })) {
    cluster[at++] = Number(/"cluster":(\d+)/.exec(line)?.[1])
  }
  const bins = Array.from({ length: 11 }, () => ({ planted: 0, found: 0, expected: 0 }))
  let [joined, wrong] = [0, 0]
  for (let i = 0; i < count; i++) {
    const source = planted.source[i]
    if (source !== i) {
      const bin = bins[Math.floor(planted.jaccard[i] * 10 + 1e-6)]
      bin.planted++
      bin.expected += 1 - (1 - planted.jaccard[i] ** 8) ** 14
      if (cluster[i] === cluster[source]) bin.found++
    }
    if (cluster[i] !== i) {
      joined++
      // Copies of one document may meet without it: what counts is the family.
      if (planted.source[cluster[i]] !== source) wrong++
    }
  }
  say(
    `precision ${(1 - wrong / Math.max(1, joined)).toFixed(6)}: ${wrong} of ${joined} joined to a document of another family`,
  )
  bins.forEach(({ planted, found, expected }, i) => {
    if (planted === 0) return
    const name = `Jaccard ${(i / 10).toFixed(1)}${i < 10 ? '+' : ''}`.padEnd(12)
    const recall = (found / planted).toFixed(3)
    say(`${name}  ${planted} planted, recall ${recall}, expected ${(expected / planted).toFixed(3)}`)
  })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
