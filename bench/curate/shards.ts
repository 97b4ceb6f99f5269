// npm run bench -- curate --stage shards [--megabytes 60] [--vocab 16384] [--threads 1,2] [--repeats 3] [--input FILE]
// JSON lines in zstd to shards with checksums, as `smolforge shards write` does it, and batches out of them.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readTextBatches } from '../../src/curate/index.ts'
import { loadAddon } from '../../src/native/addon.ts'
import { packingFigures, Sampler, ShardSet, writeShards } from '../../src/shards/index.ts'
import { type Tokenizer, trainTokenizer } from '../../src/tokenizer/index.ts'
import { median } from '../figures/median.ts'
import { mixedTexts } from './mixedTexts.ts'

const { values } = parseArgs({
  options: {
    input: { type: 'string' },
    megabytes: { type: 'string', default: '60' },
    vocab: { type: 'string', default: '16384' },
    threads: { type: 'string', default: [...new Set([1, availableParallelism()])].join(',') },
    repeats: { type: 'string', default: '3' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'smolforge-bench-'))
const say = (line: string) => process.stdout.write(`${line}\n`)
try {
  const file = values.input ?? compressed(join(folder, 'texts.jsonl.zst'), Number(values.megabytes) * 1e6)
  const tokenizer = await trainTokenizer(readTextBatches(file), { vocabSize: Number(values.vocab) })
  let bytes = 0
  for await (const batch of readTextBatches(file)) bytes += batch.bytes
  say(`${(bytes / 1e6).toFixed(1)} MB of text in ${(statSync(file).size / 1e6).toFixed(1)} MB of JSONL.zst`)
  const dir = join(folder, 'shards')
  for (const threads of values.threads.split(',').map(Number)) {
    const seconds: number[] = []
    for (let n = 0; n < Number(values.repeats); n++) {
      rmSync(dir, { recursive: true, force: true })
      const start = performance.now()
      ;(await write(file, dir, tokenizer, threads)).close()
      seconds.push((performance.now() - start) / 1000)
    }
    const rate = bytes / 1e6 / median(seconds)
    say(`${threads} threads: ${rate.toFixed(1)} MB/s of text, ${(rate / threads).toFixed(1)} a core`)
  }
  const set = await ShardSet.open(dir)
  for (const packing of ['concatenate', 'best-fit'] as const) {
    const options = { sets: { text: set }, weights: { text: 1 }, batchSize: 8, sequenceLength: 2048, seed: 1 }
    const sampler = new Sampler({ ...options, packing })
    sampler.next()
    const start = performance.now()
    for (let n = 0; n < 200; n++) sampler.next()
    say(`${packing}: ${((performance.now() - start) / 200).toFixed(2)} ms for 8 rows of 2,048`)
  }
  const start = performance.now()
  const { concatenate, bestFit } = packingFigures(set, 2048, 1)
  say(
    `best fit: ${(100 * bestFit.paddingShare).toFixed(2)} % padding, ${bestFit.cutDocuments} of ${set.documents} ` +
      `documents cut (end to end ${concatenate.cutDocuments}), packed in ${(performance.now() - start).toFixed(0)} ms`,
  )
  set.close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function write(file: string, dir: string, tokenizer: Tokenizer, threads: number): Promise<ShardSet> {
  const { vocabSize, endOfTextId } = tokenizer
  async function* packed() {
    for await (const batch of readTextBatches(file, { threads })) {
      const ids = batch.idsJson().map((id) => String(JSON.parse(id)))
      yield { ids, ...(await tokenizer.packTexts(batch, vocabSize <= 65_536 ? 2 : 4, threads)) }
    }
  }
  return writeShards(dir, packed(), { domain: 'text', vocabSize, endOfTextId })
}

function compressed(file: string, bytes: number): string {
  const lines = mixedTexts(bytes).map((text, i) => `${JSON.stringify({ id: `doc-${i}`, text })}\n`)
  const { zstdCompress } = loadAddon<{ zstdCompress(bytes: Uint8Array, level: number): Uint8Array }>()
  writeFileSync(file, zstdCompress(Buffer.from(lines.join('')), 3))
  return file
}
