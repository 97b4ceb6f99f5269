// npm run bench -- curate --stage language --input DOCUMENTS.jsonl.gz [--python PYTHON] [--model lid.176.ftz] [--threads 1,2]
// Accuracy and speed of language identification on lines {"text", "lang"}, ours beside the identifiers that the Python
// has (py3langid, CLD2, lingua, resiliparse, fastText with --model): texts over 200 characters of the 15 commonest languages.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readLines } from '../../src/corpus/index.ts'
import {
  FastTextModel,
  fastTextDetector,
  type LanguageDetector,
  languageCode,
  whatlangDetector,
} from '../../src/curate/index.ts'
import { median } from '../figures/median.ts'

const { values } = parseArgs({
  options: {
    input: {
      type: 'string',
      default: join(import.meta.dirname, '../../../shared/data/commands-multilingual.jsonl.gz'),
    },
    python: { type: 'string' },
    model: { type: 'string' },
    threads: { type: 'string', default: '1' },
    slice: { type: 'string', default: '1' },
  },
})

/** Two folders for one language, and languages that differ by their script or their state alone. */
const SAME: Record<string, string> = { nob: 'nor', nno: 'nor', bos: 'hrv', srp: 'hrv', zsm: 'msa' }
const codeOf = (name: string) => SAME[languageCode(name)] ?? languageCode(name)

const all = await pages(values.input)
const frequent = commonest(
  all.filter(({ text }) => [...text].length > 200).map(({ language }) => language),
  15,
)
const long = all.filter(({ text, language }) => [...text].length > 200 && frequent.includes(language))
say(`${long.length} texts over 200 characters, ${megabytes(long).toFixed(1)} MB: ${frequent.join(' ')}`)

const rows: string[][] = [['identifier', 'text', 'right', 'mean of languages', 'MB/s', 'commonest mistakes']]
for (const threads of values.threads.split(',').map(Number)) {
  await ours(`smolforge, ${threads} thread${threads === 1 ? '' : 's'}`, (texts) =>
    whatlangDetector(texts, threads),
  )
  if (values.model !== undefined) {
    await ours(
      `smolforge with the model, ${threads}`,
      fastTextDetector(FastTextModel.load(values.model), threads),
    )
  }
}
if (values.python !== undefined) peers(values.python)
print(rows)

const found = await whatlangDetector(all.map(({ text }) => text))
say(`\nAll ${all.length} texts, short ones too:`)
say(
  mistakes(
    all,
    found.map(({ language }) => language),
    15,
  ).join(', '),
)
print([
  ['language', 'texts', 'right'],
  ...byLanguage(
    all,
    found.map(({ language }) => language),
  ),
])

interface Page {
  text: string
  language: string
}

async function pages(path: string): Promise<Page[]> {
  const read: Page[] = []
  for await (const lines of readLines(path)) {
    for (const { text } of lines) {
      if (text === '') continue
      const line = JSON.parse(text) as { text: string; lang: string }
      read.push({ text: line.text, language: codeOf(line.lang) })
    }
  }
  return read
}

async function ours(name: string, detect: LanguageDetector): Promise<void> {
  const texts = long.map(({ text }) => text)
  await detect(texts.slice(0, 200))
  const times: number[] = []
  let guesses = await detect(texts)
  for (let round = 0; round < 3; round++) {
    const start = performance.now()
    guesses = await detect(texts)
    times.push((performance.now() - start) / 1000)
  }
  const speed = megabytes(long) / median(times)
  row(
    name,
    'as it is',
    long,
    guesses.map(({ language }) => language),
    speed,
  )
}

function peers(python: string): void {
  const file = join(mkdtempSync(join(tmpdir(), 'smolforge-bench-')), 'pages.json')
  writeFileSync(file, JSON.stringify(long.map(({ text }) => text)))
  const script = join(import.meta.dirname, 'language.py')
  const answer = execFileSync(python, [script, file, values.slice, ...(values.model ? [values.model] : [])], {
    maxBuffer: 1 << 30,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const results = JSON.parse(answer.toString()) as {
    name: string
    text: string
    step: number
    languages: string[]
    seconds: number
  }[]
  for (const { name, text, step, languages, seconds } of results) {
    const some = long.filter((_, i) => i % step === 0)
    row(name, text, some, languages, megabytes(some) / seconds)
  }
}

function row(
  name: string,
  text: string,
  texts: readonly Page[],
  languages: readonly string[],
  speed: number,
): void {
  const shares = byLanguage(texts, languages).map((cells) => Number(cells[2]))
  const right = texts.filter(({ language }, i) => codeOf(languages[i]) === language).length / texts.length
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
  rows.push([
    name,
    text,
    right.toFixed(4),
    mean.toFixed(4),
    speed.toFixed(1),
    mistakes(texts, languages, 4).join(', '),
  ])
}

function byLanguage(texts: readonly Page[], languages: readonly string[]): string[][] {
  const counts = new Map<string, [number, number]>()
  texts.forEach(({ language }, i) => {
    const [right, count] = counts.get(language) ?? [0, 0]
    counts.set(language, [right + (codeOf(languages[i]) === language ? 1 : 0), count + 1])
  })
  return [...counts]
    .sort(([, [, a]], [, [, b]]) => b - a)
    .map(([language, [right, count]]) => [language, `${count}`, (right / count).toFixed(4)])
}

function mistakes(texts: readonly Page[], languages: readonly string[], most: number): string[] {
  const counts = new Map<string, number>()
  texts.forEach(({ language }, i) => {
    const guess = codeOf(languages[i]) || 'none'
    if (guess !== language)
      counts.set(`${language} as ${guess}`, (counts.get(`${language} as ${guess}`) ?? 0) + 1)
  })
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([pair, count]) => `${pair} ${count}`)
}

function commonest(names: readonly string[], most: number): string[] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([name]) => name)
}

function megabytes(texts: readonly Page[]): number {
  return texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) / 1e6
}

function print(cells: string[][]): void {
  const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)))
  for (const line of cells)
    say(
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
