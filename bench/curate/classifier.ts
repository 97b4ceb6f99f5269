// npm run bench -- curate --stage classifier [--python PYTHON] [--encoder MODEL [--examples 400] [--only-embeddings]]:
// what the classifiers learn from the same labels as fastText, and how fast they score. The texts are those of
// ../shared/data; a criterion stands in for quality: what a text is, and the counted signs of `seedLabels`.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { readSource, sourceSchema } from '../../src/corpus/index.ts'
import {
  type LabelledText,
  seedLabels,
  trainClassifier,
  trainEmbeddingClassifier,
} from '../../src/curate/index.ts'
import { EmbeddingModel } from '../../src/model/index.ts'
import { Random } from '../../src/random/random.ts'
import { engineInfo } from '../../src/tensor/index.ts'
import { median } from '../figures/median.ts'

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    encoder: { type: 'string', multiple: true, default: [] },
    examples: { type: 'string', default: '400' },
    'only-embeddings': { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
const data = join(import.meta.dirname, '../../../shared/data')
if (values.help || !existsSync(data)) {
  const what = values.help ? '' : `There is no ${data}.\n`
  process.stdout.write(
    `${what}npm run bench -- curate --stage classifier [--python PYTHON] [--encoder MODEL]\n`,
  )
  process.exit(values.help ? 0 : 4)
}

interface Text {
  kind: string
  text: string
}

const texts = new Random(1).shuffle(await readTexts())
const megabytesOf = (some: readonly { text: string }[]) =>
  some.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) / 1e6
const cores = cpus().length
say(
  `${cpus()[0]?.model ?? 'CPU'}, ${cores} cores, ${engineInfo().isa}; ${texts.length} texts, ${megabytesOf(texts).toFixed(1)} MB`,
)

const signs = seedLabels(texts.map(({ text }) => text))
const tasks: Record<string, LabelledText[]> = {
  'web pages, not code or dialogue': labelled((kind) =>
    ['web', 'code', 'dialogue'].includes(kind) ? kind === 'web' : undefined,
  ),
  'word problems, not instructions': labelled((kind) =>
    ['maths', 'instructions'].includes(kind) ? kind === 'maths' : undefined,
  ),
  'counted signs of quality, 3 or more': texts.map(({ text }, i) => ({ text, label: signs[i] >= 3 ? 1 : 0 })),
}
const folder = mkdtempSync(join(tmpdir(), 'bench-classifier-'))
try {
  if (!values['only-embeddings']) {
    for (const [task, examples] of Object.entries(tasks)) await runTask(task, examples)
  }
  for (const path of values.encoder) await embed(path)
} finally {
  rmSync(folder, { recursive: true })
}

async function runTask(task: string, examples: readonly LabelledText[]): Promise<void> {
  const cut = Math.floor(examples.length * 0.8)
  const [training, heldOut] = [examples.slice(0, cut), examples.slice(cut)]
  // Enough text that the clock tells: the held-out texts over and over.
  const times = Math.ceil(15 / megabytesOf(heldOut))
  const repeated = Array.from({ length: times }, () => heldOut).flat()
  const good = heldOut.filter(({ label }) => label === 1).length
  say(
    `\n${task}: ${training.length} to learn from, ${heldOut.length} held out (${good} good), ${megabytesOf(training).toFixed(1)} MB`,
  )
  say(
    `  ${'classifier'.padEnd(44)} ${'F1'.padStart(6)} ${'train s'.padStart(8)} ${'MB/s, 1 core'.padStart(13)} ${`${cores} cores`.padStart(9)} ${'docs/s, 1'.padStart(10)}`,
  )
  const variants = {
    'smolforge, words and pairs': {},
    'smolforge, the same of whole documents': { maxWords: 2 ** 32 - 1 },
    'smolforge, and 3 to 5 characters': { characters: [3, 5] as [number, number] },
  }
  for (const [name, options] of Object.entries(variants)) {
    const began = performance.now()
    const classifier = trainClassifier(training, { seed: 1, heldOutFraction: 0, ...options })
    const trained = (performance.now() - began) / 1000
    const scores = classifier.score(heldOut.map(({ text }) => text))
    const some = repeated.map(({ text }) => text)
    const seconds = (threads: number) =>
      median(Array.from({ length: 3 }, () => timed(() => classifier.score(some, { threads }))))
    const [one, all] = [seconds(1), seconds(cores)]
    row(
      name,
      f1Of(heldOut, scores),
      trained,
      megabytesOf(repeated) / one,
      megabytesOf(repeated) / all,
      some.length / one,
    )
  }
  if (values.python !== undefined) {
    const paths = { train: training, test: heldOut }
    for (const [name, rows] of Object.entries(paths)) {
      writeFileSync(join(folder, `${name}.jsonl`), rows.map((one) => `${JSON.stringify(one)}\n`).join(''))
    }
    const [train, test] = ['train', 'test'].map((name) => join(folder, `${name}.jsonl`))
    const program = join(import.meta.dirname, 'classifier.py')
    const told = execFileSync(values.python, [program, train, test, test, `${cores}`], { encoding: 'utf8' })
    const { results, peakMegabytes } = JSON.parse(told) as { results: Peer[]; peakMegabytes: number }
    for (const peer of results) {
      row(
        `fastText, ${peer.name}`,
        peer.f1,
        peer.trainSeconds,
        peer.megabytesPerSecond,
        undefined,
        peer.documentsPerSecond,
      )
    }
    say(
      `  peak memory: fastText ${peakMegabytes.toFixed(0)} MB, this process ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB with all texts`,
    )
  }
}

/** On few examples, half as many held out: an encoder is a thousand times slower. */
async function embed(path: string): Promise<void> {
  const encoder = await EmbeddingModel.open(path, { maxTokens: 256 })
  const count = Number(values.examples)
  say(`\nembeddings of ${path.split('/').at(-1)}, up to 256 tokens, ${count} examples, ${count / 2} held out`)
  for (const [task, examples] of Object.entries(tasks)) {
    const few = examples.slice(0, count)
    const some = examples.slice(count, count + count / 2)
    const classifier = await trainEmbeddingClassifier(few, encoder, { seed: 1, heldOutFraction: 0 })
    const start = performance.now()
    const scores = classifier.score(some.map(({ text }) => text))
    const rate = some.length / ((performance.now() - start) / 1000)
    say(
      `  ${task.padEnd(44)} F1 ${f1Of(some, scores).toFixed(3)}, of words ${linearF1(few, some).toFixed(3)}; ${rate.toFixed(1)} documents/s on ${cores} cores`,
    )
  }
}

function linearF1(few: readonly LabelledText[], some: readonly LabelledText[]): number {
  const classifier = trainClassifier(few, { seed: 1, heldOutFraction: 0 })
  return f1Of(some, classifier.score(some.map(({ text }) => text)))
}

interface Peer {
  name: string
  f1: number
  trainSeconds: number
  megabytesPerSecond: number
  documentsPerSecond: number
}

function row(
  name: string,
  f1: number,
  train: number,
  one: number | undefined,
  all: number | undefined,
  documents: number | undefined,
) {
  const cell = (value: number | undefined, digits: number, width: number) =>
    (value === undefined ? '–' : value.toFixed(digits)).padStart(width)
  say(
    `  ${name.padEnd(44)} ${cell(f1, 3, 6)} ${cell(train, 2, 8)} ${cell(one, 1, 13)} ${cell(all, 1, 9)} ${cell(documents, 0, 10)}`,
  )
}

function f1Of(heldOut: readonly LabelledText[], scores: Float64Array): number {
  const both = heldOut.filter(({ label }, i) => label === 1 && scores[i] >= 0.5).length
  const wrong = heldOut.filter(({ label }, i) => (label === 1) !== scores[i] >= 0.5).length
  return (2 * both) / Math.max(1, 2 * both + wrong)
}

function labelled(good: (kind: string) => boolean | undefined): LabelledText[] {
  return texts.flatMap(({ kind, text }) => {
    const is = good(kind)
    return is === undefined ? [] : [{ text, label: is ? 1 : 0 }]
  })
}

async function readTexts(): Promise<Text[]> {
  const lines = (name: string) =>
    gunzipSync(readFileSync(join(data, `${name}.jsonl.gz`)))
      .toString('utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  const all: Text[] = []
  const source = sourceSchema.parse({
    name: 'web',
    domain: 'web',
    licence: 'unknown',
    path: join(data, 'web-pages.warc.gz'),
  })
  for await (const batch of readSource(source, { cacheDir: data, baseDir: '/', onDamage: () => {} })) {
    all.push(...batch.map(({ text }) => ({ kind: 'web', text })))
  }
  const add = (kind: string, some: string[]) => all.push(...some.map((text) => ({ kind, text })))
  add(
    'code',
    lines('code-python').map(({ text }) => text),
  )
  add(
    'maths',
    lines('gsm8k-train').map(({ question, answer }) => `${question}\n\n${answer}`),
  )
  add(
    'instructions',
    lines('instructions-t0')
      .slice(0, 6000)
      .map(({ prompt, completion }) => `${prompt}\n\n${completion}`),
  )
  const walk = (message: { text: string; replies?: [] }): string[] => [
    message.text,
    ...(message.replies ?? []).flatMap(walk),
  ]
  add(
    'dialogue',
    lines('dialogue-trees').flatMap(({ prompt }) => walk(prompt)),
  )
  return all
}

function timed(work: () => unknown): number {
  const start = performance.now()
  work()
  return (performance.now() - start) / 1000
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
