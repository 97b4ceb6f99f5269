import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Random } from '../../src/random/random.ts'
import { type Tokenizer, trainTokenizer } from '../../src/tokenizer/index.ts'

const packages = fileURLToPath(new URL('../../node_modules', import.meta.url))

/**
 * Text that is there, and the same, wherever this repository's packages are installed: the commented declarations of
 * TypeScript's library and of Node, 6 MB in the order of their paths.
 */
function packagedTexts(): string[] {
  const files = ['typescript/lib', '@types/node'].flatMap((folder) =>
    readdirSync(join(packages, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.d.ts'))
      .map((file) => join(folder, file.replaceAll('\\', '/'))),
  )
  return files.sort().map((file) => readFileSync(join(packages, file), 'utf8'))
}

/** A tokenizer of `vocabSize` trained on the texts, and all of them as one row of its tokens. */
export async function tokenStream(vocabSize: number): Promise<{ tokenizer: Tokenizer; stream: Int32Array }> {
  const texts = packagedTexts()
  const tokenizer = await trainTokenizer(
    (async function* () {
      yield texts
    })(),
    { vocabSize },
  )
  const encoded = tokenizer.encodeBatch(texts)
  const stream = new Int32Array(encoded.reduce((sum, ids) => sum + ids.length, 0))
  let at = 0
  for (const ids of encoded) {
    stream.set(ids, at)
    at += ids.length
  }
  return { tokenizer, stream }
}

/** i32[steps][2][batchSize][sequenceLength]: tokens and the ones that follow them, from places drawn at random. */
export function drawBatches(
  stream: Int32Array,
  { steps, batchSize, sequenceLength }: { steps: number; batchSize: number; sequenceLength: number },
  random: Random,
): Int32Array {
  const size = batchSize * sequenceLength
  const batches = new Int32Array(steps * 2 * size)
  for (let step = 0; step < steps; step++) {
    for (let row = 0; row < batchSize; row++) {
      const start = random.int(stream.length - sequenceLength)
      const at = step * 2 * size + row * sequenceLength
      batches.set(stream.subarray(start, start + sequenceLength), at)
      batches.set(stream.subarray(start + 1, start + 1 + sequenceLength), at + size)
    }
  }
  return batches
}
