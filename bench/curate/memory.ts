// npm run bench -- curate --stage memory [--input PAGES.warc.gz] [--scales 1,10,100]: peak memory of reading and converting
// a WARC file and a JSON-lines file of so many times the size, each in a process of its own. It should not grow with the
// input once all buffers and V8's heap have their size, which takes some hundred megabytes of input.
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { convertCorpus } from '../../src/corpus/index.ts'

const { values } = parseArgs({
  options: {
    input: { type: 'string', default: join(import.meta.dirname, '../../../shared/data/web-pages.warc.gz') },
    /** Set in the processes that are measured: what to convert, and to what. */
    convert: { type: 'string' },
    output: { type: 'string' },
    threads: { type: 'string', default: '2' },
    scales: { type: 'string', default: '1,10,100' },
  },
})
if (values.convert !== undefined && values.output !== undefined) {
  await convertCorpus(
    { name: 'in', domain: 'web', licence: 'unknown', path: values.convert },
    {
      output: values.output,
      cacheDir: tmpdir(),
      baseDir: '/',
      extraction: { threads: Number(values.threads) },
    },
  )
  // Linux counts in kilobytes.
  process.stdout.write(`${process.resourceUsage().maxRSS * 1024}\n`)
  process.exit(0)
}
if (!existsSync(values.input)) {
  process.stderr.write(`There is no ${values.input}: name a .warc.gz with --input\n`)
  process.exit(2)
}
const folder = mkdtempSync(join(tmpdir(), 'smolforge-bench-'))
try {
  const lines = join(folder, 'pages.jsonl')
  await convertCorpus(
    { name: 'in', domain: 'web', licence: 'unknown', path: values.input },
    { output: lines, cacheDir: folder, baseDir: '/' },
  )
  const parquet = join(folder, 'x1.parquet')
  await convertCorpus(
    { name: 'in', domain: 'web', licence: 'unknown', path: lines },
    { output: parquet, cacheDir: folder, baseDir: '/' },
  )
  process.stdout.write('peak memory of a process that converts, in MB (the input in MB)\n')
  // A text of some megabytes is less than what is buffered anyway: 1x of lines is ten times the pages.
  for (const [name, input, times, output] of [
    ['WARC to .jsonl.zst', values.input, 1, 'out.jsonl.zst'],
    ['WARC to Parquet', values.input, 1, 'out.parquet'],
    ['JSON lines to Parquet', lines, 20, 'out.parquet'],
    ['JSON lines to .jsonl.gz', lines, 20, 'out.jsonl.gz'],
  ] as const) {
    const bytes = readFileSync(input)
    const repeated = join(folder, `input${/\.warc\.gz$/.test(input) ? '.warc.gz' : '.jsonl'}`)
    const measured = values.scales.split(',').map((scale) => {
      writeFileSync(repeated, '')
      for (let n = 0; n < times * Number(scale); n++) appendFileSync(repeated, bytes)
      const peak = peakOf(repeated, join(folder, output))
      return `${scale}x: ${(peak / 1e6).toFixed(0).padStart(4)} (${(statSync(repeated).size / 1e6).toFixed(0)})`
    })
    process.stdout.write(`  ${name.padEnd(26)} ${measured.join('   ')}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function peakOf(input: string, output: string): number {
  const options = ['--convert', input, '--output', output, '--threads', values.threads]
  const run = spawnSync(process.execPath, ['--import', 'tsx', import.meta.filename, ...options], {
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(run.stderr)
  return Number(run.stdout)
}
