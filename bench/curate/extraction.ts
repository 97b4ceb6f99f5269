// npm run bench -- curate --stage extraction [--pages pages.warc.gz --gold gold.json] [--python PYTHON]
// F1 by gold strings and speed on the same pages, one core: ours from stored bytes to text, trafilatura's from the
// same bytes. The pages are split in two halves by a hash of their address: rules were tuned on A only.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { CorpusKernels, PageInput } from '../../src/corpus/kernels.ts'
import { loadAddon } from '../../src/native/addon.ts'
import { median } from '../figures/median.ts'

interface Gold {
  url: string
  with: string[]
  without: string[]
}

const shared = join(import.meta.dirname, '../../../shared/data')
const { values } = parseArgs({
  options: {
    pages: { type: 'string', default: join(shared, 'web-pages.warc.gz') },
    gold: { type: 'string', default: join(shared, 'web-pages.gold.json') },
    python: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    comments: { type: 'boolean', default: false },
    help: { type: 'boolean' },
  },
})
if (values.help || !existsSync(values.pages) || !existsSync(values.gold)) {
  process.stderr.write(
    'npm run bench -- curate --stage extraction --pages pages.warc.gz --gold gold.json [--python PYTHON]\n' +
      'gold.json: [{"url", "with": [strings of the text], "without": [strings of the furniture]}]\n',
  )
  process.exit(values.help ? 0 : 2)
}

const kernels = loadAddon<CorpusKernels>()
const gold = JSON.parse(readFileSync(values.gold, 'utf8')) as Gold[]
const bodies = await readBodies(values.pages)
const pages = gold.map(({ url }) => {
  const body = bodies.get(key(url))
  if (body === undefined) throw new Error(`no page of ${url} in ${values.pages}`)
  return { bytes: body, isHttp: false, contentType: 'text/html' }
})
const megabytes = pages.reduce((sum, { bytes }) => sum + bytes.length, 0) / 1e6
const cores = availableParallelism()
const say = (line: string) => process.stdout.write(`${line}\n`)
say(
  `${cpus()[0]?.model}: ${pages.length} pages, ${megabytes.toFixed(1)} MB of HTML; P/R/F1 of all, of A, of B`,
)

const ours = await timeOurs(1)
row('smolforge', ours.texts, ours.seconds)
say(`    peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB with the pages in it`)
if (cores > 1) {
  const all = await timeOurs(cores)
  row(`smolforge, ${cores} threads`, all.texts, all.seconds)
  say(`    ${(ours.seconds / all.seconds).toFixed(2)} times one thread`)
}
if (values.python !== undefined) {
  const theirs = runTrafilatura(values.python)
  for (const [mode, { texts, seconds }] of Object.entries(theirs.modes)) {
    row(`trafilatura ${theirs.version} ${mode}`, texts, median(seconds))
    say(`    smolforge is ${(median(seconds) / ours.seconds).toFixed(1)} times as fast on a core`)
  }
  say(`    peak memory ${(theirs.peakBytes / 1e6).toFixed(0)} MB with the pages in it`)
}

async function timeOurs(threads: number) {
  const seconds: number[] = []
  let texts: string[] = []
  for (let round = 0; round <= Number(values.rounds) * 3; round++) {
    const start = performance.now()
    const found = await kernels.extractPages(pages, { threads, comments: values.comments })
    // The first round warms up.
    if (round > 0) seconds.push((performance.now() - start) / 1000)
    texts = found.map(({ text }) => text)
  }
  return { texts, seconds: median(seconds) }
}

function row(name: string, texts: readonly string[], seconds: number): void {
  const halves = [() => true, ({ url }: Gold) => half(url) === 0, ({ url }: Gold) => half(url) === 1]
  const scores = halves.map((wanted) => score(texts, wanted)).join(' | ')
  const speed = `${(megabytes / seconds).toFixed(1)} MB/s, ${(pages.length / seconds).toFixed(0)} docs/s`
  say(`${name.padEnd(40)} ${scores} | ${speed}`)
}

/** Precision, recall and F1 over all strings, as trafilatura's own evaluation counts them. */
function score(texts: readonly string[], wanted: (page: Gold) => boolean): string {
  let [kept, missed, leaked] = [0, 0, 0]
  gold.forEach((page, at) => {
    if (!wanted(page)) return
    const text = texts[at] ?? ''
    for (const string of page.with) text.includes(string) ? kept++ : missed++
    for (const string of page.without) if (text.includes(string)) leaked++
  })
  const [precision, recall] = [kept / (kept + leaked), kept / (kept + missed)]
  const f1 = (2 * precision * recall) / (precision + recall)
  return [precision, recall, f1].map((number) => number.toFixed(4).slice(1)).join(' ')
}

function half(url: string): number {
  return (createHash('sha256').update(url).digest()[0] ?? 0) & 1
}

function key(url: string): string {
  return url.replaceAll('%20', ' ').trim()
}

async function readBodies(path: string): Promise<Map<string, PageInput['bytes']>> {
  const reader = new kernels.WarcReader(path, 64 << 20)
  const bodies = new Map<string, PageInput['bytes']>()
  for (let done = false; !done; ) {
    const batch = await reader.next(16 << 20)
    done = batch.done
    for (const { url, payload } of batch.records) {
      const head = payload.indexOf('\r\n\r\n')
      if (url !== undefined && payload.subarray(0, 5).toString() === 'HTTP/') {
        bodies.set(key(url), payload.subarray(head + 4))
      }
    }
  }
  return bodies
}

interface TheirResult {
  version: string
  modes: Record<string, { texts: string[]; seconds: number[] }>
  peakBytes: number
}

function runTrafilatura(python: string): TheirResult {
  const folder = mkdtempSync(join(tmpdir(), 'smolforge-extraction-'))
  try {
    const [input, output] = [join(folder, 'pages.jsonl'), join(folder, 'texts.json')]
    const lines = pages.map(({ bytes }) => JSON.stringify({ html: Buffer.from(bytes).toString('base64') }))
    writeFileSync(input, lines.join('\n'))
    const program = join(import.meta.dirname, 'extraction.py')
    execFileSync(python, [program, input, output, values.rounds], {
      stdio: ['ignore', 'ignore', 'ignore'],
    })
    return JSON.parse(readFileSync(output, 'utf8')) as TheirResult
  } finally {
    rmSync(folder, { recursive: true })
  }
}
