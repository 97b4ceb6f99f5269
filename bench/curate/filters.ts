// npm run bench -- curate --stage filters [--shared ../shared/data] [--python PYTHON] [--seconds 60] [--rounds 3]
// Gopher's, C4's and FineWeb's rules: decisions side by side with datatrove's own filters, document by document, with
// our words and with its words; then speed from file to file, one core and all. PYTHON has datatrove and spaCy.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chooseRules, filterFile, ruleCatalogue } from '../../src/curate/index.ts'
import { median } from '../figures/median.ts'
import { filtersCorpus } from './filtersCorpus.ts'

const RULES = ['gopher-quality', 'gopher-repetition', 'c4', 'fineweb']
const root = join(import.meta.dirname, '../..')
const { values } = parseArgs({
  options: {
    shared: { type: 'string', default: join(root, '../shared/data') },
    python: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '3' },
    differences: { type: 'string' },
    cache: { type: 'string' },
    help: { type: 'boolean' },
  },
})
if (values.help || !existsSync(values.shared)) {
  process.stderr.write(
    'npm run bench -- curate --stage filters [--shared DIR] [--python PYTHON] [--seconds 60] [--rounds 3]\n' +
      '  [--differences FILE] [--cache DIR with what datatrove said before]\n',
  )
  process.exit(values.help ? 0 : 2)
}
const say = (line: string) => process.stdout.write(`${line}\n`)
const folder = values.cache ?? mkdtempSync(join(tmpdir(), 'smolforge-filters-'))
try {
  const corpora = await filtersCorpus(values.shared, folder)
  if (values.python !== undefined) await compareDecisions(values.python, corpora)
  if (values.rounds !== '0') await measureSpeed(corpora.map(([, path]) => path))
} finally {
  if (values.cache === undefined) rmSync(folder, { recursive: true })
}

type Verdicts = Map<string, { rule: string; value: number | null }>

async function compareDecisions(python: string, corpora: [string, string][]): Promise<void> {
  say('documents with the same decision, as the text came in; "chain" is the four rules one after the other')
  const differences: string[] = []
  const seconds = { documents: 0, bytes: 0, total: 0 }
  for (const [name, path] of corpora) {
    const theirs = datatroveVerdicts(python, name, path)
    seconds.documents += theirs.documents
    seconds.bytes += theirs.bytes
    seconds.total += theirs.seconds
    for (const [mode, input, options] of [
      ['our words', path, {}],
      ['English rules alone', path, { segment: false }],
      ['its words', theirs.words, { words: 'words' }],
    ] as const) {
      const cells: string[] = []
      for (const rules of [...RULES.map((rule) => [rule]), RULES]) {
        const ours = await ourVerdicts(input, rules, options)
        const key = rules.length > 1 ? 'chain' : (rules[0] ?? '')
        const [same, all] = agreement(theirs.verdicts, ours, key, `${name}, ${mode}`, differences)
        cells.push(`${key} ${same}/${all} ${((100 * same) / all).toFixed(2)} %`)
      }
      say(`${name.padEnd(22)} ${mode.padEnd(20)} ${cells.join(' | ')}`)
    }
  }
  if (values.differences !== undefined) writeFileSync(values.differences, differences.join(''))
  if (seconds.total > 0) {
    say(`datatrove's four filters: ${(seconds.bytes / 1e6 / seconds.total).toFixed(2)} MB/s on one core`)
  }
}

interface TheirLine {
  id: string
  chain: string
  [rule: string]: string
}

/** Runs datatrove, or reads what it said before. */
function datatroveVerdicts(python: string, name: string, path: string) {
  const [output, words, figures] = ['verdicts', 'words', 'figures'].map((kind) =>
    join(folder, `${name}.${kind}`),
  )
  if (!existsSync(figures as string)) {
    const program = join(import.meta.dirname, 'filters.py')
    const args = [
      program,
      '--input',
      path,
      '--output',
      `${output}`,
      '--words',
      `${words}`,
      '--seconds',
      values.seconds,
    ]
    writeFileSync(figures as string, execFileSync(python, args, { stdio: ['ignore', 'pipe', 'ignore'] }))
  }
  const lines = readFileSync(output as string, 'utf8')
    .trimEnd()
    .split('\n')
  const found = JSON.parse(readFileSync(figures as string, 'utf8')) as {
    documents: number
    bytes: number
    seconds: Record<string, number>
  }
  const { documents, bytes } = found
  const total = Object.values(found.seconds).reduce((sum, part) => sum + part, 0)
  const verdicts = lines.map((line) => JSON.parse(line) as TheirLine)
  return { verdicts, words: words as string, documents, bytes, seconds: total }
}

async function ourVerdicts(input: string, rules: readonly string[], options: object): Promise<Verdicts> {
  const output = join(folder, 'ours.jsonl')
  await filterFile({ input, output, rules: chooseRules(rules, [], ruleCatalogue), ...options })
  const lines = readFileSync(output, 'utf8').trimEnd().split('\n')
  return new Map(
    lines.map((line) => {
      const { id, rule, value } = JSON.parse(line)
      return [String(id), { rule: rule ?? '', value }]
    }),
  )
}

function agreement(
  theirs: readonly TheirLine[],
  ours: Verdicts,
  key: string,
  what: string,
  differences: string[],
): [same: number, all: number] {
  let same = 0
  for (const line of theirs) {
    const own = ours.get(String(line.id))
    const their = line[key] ?? ''
    if ((own?.rule === '') === (their === '')) same++
    else
      differences.push(
        `${what}: ${line.id}: datatrove ${their || 'keeps'}, ours ${own?.rule || 'keeps'} ${own?.value}\n`,
      )
  }
  return [same, theirs.length]
}

async function measureSpeed(paths: readonly string[]): Promise<void> {
  const input = join(folder, 'all.jsonl')
  const once = paths.map((path) => readFileSync(path, 'utf8')).join('')
  writeFileSync(input, once.repeat(Math.ceil(60e6 / Buffer.byteLength(once))))
  const main = join(root, 'dist/cli/main.js')
  mkdirSync(folder, { recursive: true })
  const cores = availableParallelism()
  say(`\n${cpus()[0]?.model}: file to file, the whole process; MB of JSON lines a second`)
  let single = 0
  for (const threads of cores > 1 ? [1, cores] : [1]) {
    const runs: { seconds: number; megabytes: number }[] = []
    let figures = { documents: 0, bytes: 0 }
    for (let round = 0; round < Number(values.rounds); round++) {
      const run = await runFilter(main, input, threads)
      runs.push(run)
      figures = run
    }
    const seconds = median(runs.map((run) => run.seconds))
    single ||= seconds
    say(
      `${threads} ${threads === 1 ? 'core ' : 'cores'}: ${(figures.bytes / 1e6 / seconds).toFixed(1)} MB/s, ` +
        `${(figures.documents / seconds).toFixed(0)} documents/s, ${median(runs.map((run) => run.megabytes)).toFixed(0)} MB of memory` +
        (threads > 1 ? `, ${(single / seconds).toFixed(2)} times one core` : ''),
    )
  }
}

/** Pinned to as many cores as threads, so that reading ahead takes no second core. */
async function runFilter(main: string, input: string, threads: number) {
  const output = join(folder, 'speed.jsonl')
  const filter = [
    'filter',
    '--rules',
    RULES.join(','),
    '--input',
    input,
    '--output',
    output,
    '--threads',
    `${threads}`,
  ]
  const pinned = ['-c', `0-${threads - 1}`, process.execPath, main, ...filter]
  const started = performance.now()
  const child = spawn('taskset', pinned, { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (bytes) => {
    errors += bytes
  })
  let megabytes = 0
  const watch = setInterval(() => {
    const status = `/proc/${child.pid}/status`
    const peak = existsSync(status) ? /VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1] : undefined
    if (peak !== undefined) megabytes = Number(peak) / 1024
  }, 50)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(watch)
  if (code !== 0) throw new Error(`smolforge filter ended with ${code}: ${errors}`)
  const seconds = (performance.now() - started) / 1000
  const { documents, bytes } = JSON.parse(errors.trimEnd().split('\n').at(-1) ?? '{}') as Record<
    string,
    number
  >
  return { seconds, megabytes, documents: documents ?? 0, bytes: bytes ?? 0 }
}
