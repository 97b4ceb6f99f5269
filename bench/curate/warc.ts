// npm run bench -- curate --stage warc [--input PAGES.warc.gz] [--python PYTHON]: MB/s of payload that come out of a WARC
// file, one core, medians of five: our reader, node:zlib over the whole file, FastWARC and warcio.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import type { CorpusKernels } from '../../src/corpus/kernels.ts'
import { loadAddon } from '../../src/native/addon.ts'
import { median } from '../figures/median.ts'

const ROUNDS = 5
const { values } = parseArgs({
  options: {
    input: { type: 'string', default: join(import.meta.dirname, '../../../shared/data/web-pages.warc.gz') },
    python: { type: 'string' },
  },
})
if (!existsSync(values.input)) {
  process.stderr.write(`There is no ${values.input}: name a .warc.gz with --input\n`)
  process.exit(2)
}
const kernels = loadAddon<CorpusKernels>()
const folder = mkdtempSync(join(tmpdir(), 'smolforge-bench-'))
try {
  const packed = readFileSync(values.input)
  const whole = gunzipSync(packed)
  const plain = join(folder, 'pages.warc')
  writeFileSync(plain, whole)
  const zstd = join(folder, 'pages.warc.zst')
  writeFileSync(
    zstd,
    Buffer.concat((await payloads(values.input)).map((record) => kernels.zstdCompress(record, 3))),
  )

  process.stdout.write(`${cpus()[0]?.model}; ${values.input}, ${(packed.length / 1e6).toFixed(1)} MB\n`)
  await ours('smolforge, gzip by record', values.input)
  await ours('smolforge, zstd by record', zstd)
  await ours('smolforge, plain', plain)
  const { bytes } = await read(values.input)
  const inflate = Array.from({ length: ROUNDS }, () => timed(() => gunzipSync(packed)))
  show('node:zlib, whole file, no records', bytes, inflate)
  if (values.python !== undefined) {
    const script = join(import.meta.dirname, 'warc.py')
    const { stdout, status } = spawnSync(values.python, [script, values.input, String(ROUNDS)], {
      encoding: 'utf8',
    })
    if (status !== 0) process.exit(1)
    for (const line of stdout.trim().split('\n')) {
      const { name, bytes, seconds } = JSON.parse(line) as { name: string; bytes: number; seconds: number[] }
      show(name, bytes, seconds)
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function ours(name: string, path: string): Promise<void> {
  const seconds: number[] = []
  let bytes = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    bytes = (await read(path)).bytes
    seconds.push((performance.now() - start) / 1000)
  }
  show(name, bytes, seconds)
}

async function read(path: string): Promise<{ bytes: number }> {
  const reader = new kernels.WarcReader(path, 64 << 20)
  let bytes = 0
  for (let done = false; !done; ) {
    const batch = await reader.next(8 << 20)
    done = batch.done
    for (const { payload } of batch.records) bytes += payload.length
  }
  return { bytes }
}

/** The records of a file as plain WARC records of their own. */
async function payloads(path: string): Promise<Buffer[]> {
  const reader = new kernels.WarcReader(path, 64 << 20)
  const records: Buffer[] = []
  for (let done = false; !done; ) {
    const batch = await reader.next(8 << 20)
    done = batch.done
    for (const { kind, url = '', contentType = '', payload } of batch.records) {
      const header = `WARC/1.0\r\nWARC-Type: ${kind}\r\nWARC-Target-URI: ${url}\r\nContent-Type: ${contentType}\r\nContent-Length: ${payload.length}\r\n\r\n`
      records.push(Buffer.concat([Buffer.from(header), payload, Buffer.from('\r\n\r\n')]))
    }
  }
  return records
}

function timed(work: () => unknown): number {
  const start = performance.now()
  work()
  return (performance.now() - start) / 1000
}

function show(name: string, bytes: number, seconds: readonly number[]): void {
  process.stdout.write(
    `  ${name.padEnd(36)} ${(bytes / 1e6 / median(seconds)).toFixed(0).padStart(6)} MB/s\n`,
  )
}
