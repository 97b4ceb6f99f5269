// npm run bench -- curate --stage tokenizer --python PYTHON [--megabytes 60] [--vocab 16384] [--threads 1,2]
//   [--repeats 3] [--sample 5] [--input texts.jsonl]
// Training and encoding beside Hugging Face's tokenizers on the same texts; merges and ids are compared one by one.
// Ours begin with a file of JSON lines, theirs with strings in memory.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readTextBatches, type TextBatch, textBatch } from '../../src/curate/index.ts'
import { smolSpecialTokens, Tokenizer, trainTokenizer } from '../../src/tokenizer/index.ts'
import { median } from '../figures/median.ts'
import { mixedTexts } from './mixedTexts.ts'

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    input: { type: 'string' },
    megabytes: { type: 'string', default: '60' },
    vocab: { type: 'string', default: '16384' },
    threads: { type: 'string', default: [...new Set([1, availableParallelism()])].join(',') },
    repeats: { type: 'string', default: '3' },
    sample: { type: 'string', default: '5' },
    child: { type: 'string' },
  },
})
const vocab = Number(values.vocab)
const repeats = Number(values.repeats)
const every = Number(values.sample)

interface Side {
  trainSeconds: number
  encodeSeconds: number
  peakBytes: number
}
interface Ours extends Side {
  linesSeconds: number
}

if (values.child !== undefined) {
  const { file, threads, out } = JSON.parse(values.child) as { file: string; threads: number; out: string }
  process.stdout.write(JSON.stringify(await ours(file, threads, out)))
} else {
  await sideBySide()
}

async function sideBySide(): Promise<void> {
  const out = mkdtempSync(join(tmpdir(), 'smolforge-bench-'))
  try {
    const file = values.input ?? writeTexts(join(out, 'texts.jsonl'), Number(values.megabytes) * 1e6)
    const { texts, bytes, sampleBytes } = sizes(file)
    const say = (line: string) => process.stdout.write(`${line}\n`)
    say(
      `${texts} texts, ${mb(bytes)} MB; every ${every}th encoded, ${mb(sampleBytes)} MB; vocabulary ${vocab}`,
    )
    for (const threads of values.threads.split(',').map(Number)) {
      const environment = { ...process.env, SMOLFORGE_THREADS: String(threads), UV_THREADPOOL_SIZE: '2' }
      const child = JSON.stringify({ file, threads, out })
      const own = JSON.parse(
        run(
          process.execPath,
          [...process.execArgv, process.argv[1], ...rest(), '--child', child],
          environment,
        ),
      ) as Ours
      say(`${threads} ${threads === 1 ? 'thread' : 'threads'}`)
      const theirs = values.python === undefined ? undefined : peer(file, threads, out)
      const row = (name: string, megabytes: number, seconds: number, peerSeconds?: number) =>
        say(
          `  ${name.padEnd(34)} ${rate(megabytes, seconds)} MB/s` +
            (peerSeconds === undefined
              ? ''
              : `   theirs ${rate(megabytes, peerSeconds)} MB/s   ${(peerSeconds / seconds).toFixed(1)}x`),
        )
      row('train, file to merges', bytes, own.trainSeconds, theirs?.trainSeconds)
      row('encode, texts to ids', sampleBytes, own.encodeSeconds, theirs?.encodeSeconds)
      row('tokenizer encode, file to file', bytes, own.linesSeconds)
      say(`  peak memory: ${mb(own.peakBytes)} MB${theirs ? `, theirs ${mb(theirs.peakBytes)} MB` : ''}`)
      if (theirs) say(`  ${compare(out)}`)
    }
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}

async function ours(file: string, threads: number, out: string): Promise<Ours> {
  const trainSeconds: number[] = []
  const encodeSeconds: number[] = []
  const linesSeconds: number[] = []
  let tokenizer: Tokenizer | undefined
  for (let n = 0; n < repeats; n++) {
    const start = performance.now()
    const batches = readTextBatches(file, { threads })
    tokenizer = await trainTokenizer(batches, { vocabSize: vocab, threads })
    trainSeconds.push(since(start))
  }
  if (tokenizer === undefined) throw new Error('--repeats is at least 1')
  await tokenizer.save(join(out, 'ours'))
  const sample = sampled(file)
  for (let n = 0; n < repeats; n++) {
    // A fresh one each time: the word cache is cold at the start, as theirs is.
    const fresh = await Tokenizer.load(join(out, 'ours'))
    const start = performance.now()
    const { ids, ends } = fresh.encodeTexts(sample, threads)
    encodeSeconds.push(since(start))
    if (n === 0) saveIds(join(out, 'ours.ids.jsonl'), ids, ends)
    const again = await Tokenizer.load(join(out, 'ours'))
    const from = performance.now()
    await again.encodeLines(file, join(out, 'lines.jsonl'), { threads })
    linesSeconds.push(since(from))
  }
  return {
    trainSeconds: median(trainSeconds),
    encodeSeconds: median(encodeSeconds),
    linesSeconds: median(linesSeconds),
    peakBytes: process.resourceUsage().maxRSS * 1024,
  }
}

function peer(file: string, threads: number, out: string): Side {
  const script = join(import.meta.dirname, 'tokenizer.py')
  const environment = {
    ...process.env,
    RAYON_NUM_THREADS: String(threads),
    SPECIAL_TOKENS: JSON.stringify(smolSpecialTokens),
  }
  const args = [script, file, String(vocab), String(every), String(repeats), out]
  return JSON.parse(run(values.python ?? 'python3', args, environment)) as Side
}

/** Vocabulary, merges and ids of both, entry by entry. */
function compare(out: string): string {
  const model = (name: string) => {
    const json = JSON.parse(readFileSync(join(out, name), 'utf8')) as {
      model: { vocab: Record<string, number>; merges: (string | string[])[] }
    }
    const merges = json.model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' ')))
    return { merges, vocab: json.model.vocab }
  }
  const [own, theirs] = [model('ours/tokenizer.json'), model('theirs.json')]
  const merges = theirs.merges.filter((pair, rank) => own.merges[rank] === pair).length
  const tokens = Object.entries(theirs.vocab).filter(([token, id]) => own.vocab[token] === id).length
  const lines = (name: string) =>
    readFileSync(join(out, name), 'utf8').trimEnd().replaceAll(' ', '').split('\n')
  const [ids, theirIds] = [lines('ours.ids.jsonl'), lines('theirs.ids.jsonl')]
  const same = theirIds.filter((line, i) => ids[i] === line).length
  return (
    `equal: ${merges} of ${theirs.merges.length} merges, ${tokens} of ${Object.keys(theirs.vocab).length} tokens, ` +
    `the ids of ${same} of ${theirIds.length} texts`
  )
}

function sampled(file: string): TextBatch {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return textBatch(
    lines.filter((_, i) => i % every === 0).map((line) => (JSON.parse(line) as { text: string }).text),
  )
}

function sizes(file: string): { texts: number; bytes: number; sampleBytes: number } {
  let [texts, bytes, sampleBytes] = [0, 0, 0]
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) {
    const length = Buffer.byteLength((JSON.parse(line) as { text: string }).text)
    bytes += length
    if (texts++ % every === 0) sampleBytes += length
  }
  return { texts, bytes, sampleBytes }
}

function writeTexts(file: string, bytes: number): string {
  const lines = mixedTexts(bytes).map((text, i) => `${JSON.stringify({ id: String(i), text })}\n`)
  writeFileSync(file, lines.join(''))
  if (statSync(file).size < bytes / 2) process.stderr.write('shared/data is absent: the texts repeat\n')
  return file
}

function saveIds(file: string, ids: Uint32Array, ends: Uint32Array): void {
  const handle = openSync(file, 'w')
  let from = 0
  for (const end of ends) {
    writeSync(handle, `[${ids.subarray(from, end).join(',')}]\n`)
    from = end
  }
  closeSync(handle)
}

/** The options as they were given, for the child. */
function rest(): string[] {
  return [
    '--stage',
    'tokenizer',
    '--vocab',
    values.vocab,
    '--repeats',
    values.repeats,
    '--sample',
    values.sample,
  ]
}

function run(program: string, args: string[], env: NodeJS.ProcessEnv): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1e9,
  })
}

function since(start: number): number {
  return (performance.now() - start) / 1000
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

function rate(bytes: number, seconds: number): string {
  return (bytes / 1e6 / seconds).toFixed(1).padStart(6)
}
