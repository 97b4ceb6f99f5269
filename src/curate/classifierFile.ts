import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileError, SmolforgeError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import type { ClassifierEvaluation } from './classifierEvaluation.ts'

/** What a classifier is, besides its weights; written to its file. */
export type ClassifierHeader = LinearHeader | EmbeddingHeader

interface SharedHeader {
  version: 1
  bias: number
  lowest: number
  highest: number
  threshold: number
  seed: number
  evaluation: ClassifierEvaluation
}

export interface LinearHeader extends SharedHeader {
  kind: 'regression' | 'logistic'
  buckets: number
  /** Words of a text that are looked at, from its start. */
  maxWords: number
  /** Shortest and longest character n-gram; none when absent. */
  characters?: [number, number]
}

export interface EmbeddingHeader extends SharedHeader {
  kind: 'embedding'
  encoder: EncoderReference
}

/** Which model made the embeddings, and how. */
export interface EncoderReference {
  /** Where it was when the classifier was trained. */
  path: string
  /** Of its weights: another model's embeddings mean something else. */
  sha256: string
  pooling: 'mean' | 'cls' | 'last'
  /** Tokens of a text that are looked at, from its start. */
  maxTokens: number
  /** Numbers in an embedding. */
  width: number
}

/**
 * The file of a classifier: the 8 letters `smolfcls`, the header's length (u32, little endian), the header as JSON
 * padded with spaces to a multiple of 4, the weights (f32, little endian), and the SHA-256 of all that.
 */
export async function writeClassifierFile(
  path: string,
  header: ClassifierHeader,
  weights: Float32Array,
): Promise<void> {
  const json = Buffer.from(JSON.stringify(header))
  const padded = Buffer.concat([json, Buffer.alloc((4 - (json.length % 4)) % 4, ' ')])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(padded.length)
  const numbers = Buffer.from(weights.buffer, weights.byteOffset, weights.byteLength)
  const body = Buffer.concat([MAGIC, length, padded, numbers])
  await writeFileAtomic(path, Buffer.concat([body, checksum(body)]))
}

/** @throws SmolforgeError `damaged` when the checksum or a length does not fit, `input` when it is no such file. */
export async function readClassifierFile(
  path: string,
): Promise<{ header: ClassifierHeader; weights: Float32Array }> {
  const file = await readFile(path).catch((error) => {
    throw fileError(error, path)
  })
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new SmolforgeError('input', 'This is no classifier of smolforge', { place: { file: path } })
  }
  const body = file.subarray(0, -CHECKSUM_BYTES)
  if (file.length < SMALLEST || !checksum(body).equals(file.subarray(-CHECKSUM_BYTES))) {
    throw new SmolforgeError('damaged', 'The classifier fails its checksum', {
      place: { file: path },
      hint: 'Train it again, or copy it again from where it came.',
    })
  }
  const start = MAGIC.length + 4
  const end = start + body.readUInt32LE(MAGIC.length)
  const header = JSON.parse(body.toString('utf8', start, end)) as ClassifierHeader
  const numbers = header.kind === 'embedding' ? header.encoder.width : header.buckets
  if (header.version !== 1 || body.length - end !== 4 * numbers) {
    throw new SmolforgeError('input', `Unknown version ${header.version} of a classifier`, {
      place: { file: path },
    })
  }
  // A copy: the weights need not lie on a multiple of four within the file's buffer.
  const weights = new Float32Array(new Uint8Array(body.subarray(end)).buffer)
  return { header, weights }
}

const MAGIC = Buffer.from('smolfcls')
const CHECKSUM_BYTES = 32
const SMALLEST = MAGIC.length + 4 + CHECKSUM_BYTES

function checksum(body: Buffer): Buffer {
  return createHash('sha256').update(body).digest()
}
