import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SmolforgeError } from '../../src/errors.ts'
import { ggufFormats } from '../../src/files/ggufFormats.ts'
import { parseGgufHeader } from '../../src/files/ggufHeader.ts'
import { GgufArray } from '../../src/files/ggufReader.ts'
import { openCheckpoint } from '../../src/model/checkpoints/checkpoint.ts'
import { elementBytes, headerLength, parseHeader } from '../../src/model/checkpoints/safetensorsHeader.ts'
import { parameterShapes } from '../../src/model/parameters.ts'
import type { Random } from '../../src/random/random.ts'
import { corpusReaders } from './corpora.ts'
import { mutate } from './mutate.ts'
import { ggufSeeds, modelSeed, safetensorsSeeds } from './seeds.ts'

/** A reader of files from outside: it takes all bytes of a file, and says what would hurt a user who gave it them. */
export interface FuzzedReader {
  name: string
  seeds: readonly Uint8Array[]
  /** Makes what surrounds the damage right again, so that it is met deeper in. */
  mend?(bytes: Uint8Array): void
  /**
   * Reads the file whole; `false` when nothing in it could be read, which is a refusal too.
   *
   * @throws Error for what it accepts and must not, beside what the reader itself throws.
   */
  read(bytes: Uint8Array): unknown
  /** What the files are called in the reader's errors. */
  file: string
}

const FILE = 'fuzzed'
const MODEL_FILE = join(tmpdir(), `smolforge-fuzz-${process.pid}.gguf`)

/** Readers of checkpoints, and of corpora. */
export const fuzzedReaders: readonly FuzzedReader[] = [
  {
    name: 'safetensors',
    seeds: safetensorsSeeds(),
    mend: mendSafetensors,
    read: readSafetensors,
    file: FILE,
  },
  { name: 'gguf', seeds: ggufSeeds(), read: readGguf, file: FILE },
  { name: 'model', seeds: [modelSeed()], read: readModel, file: MODEL_FILE },
  ...corpusReaders(),
]

export interface FuzzResult {
  accepted: number
  refused: number
  /** Inputs that made the reader do something else than accept or refuse by a clear error. */
  failures: { input: Uint8Array; error: unknown }[]
  slowest: { input: Uint8Array; elapsedMs: number }
}

/** Gives a reader `iterations` damaged files, made from its seeds and from those that it went on to accept. */
export async function fuzz(reader: FuzzedReader, iterations: number, random: Random): Promise<FuzzResult> {
  const corpus = [...reader.seeds]
  const result: FuzzResult = {
    accepted: 0,
    refused: 0,
    failures: [],
    slowest: { input: reader.seeds[0], elapsedMs: 0 },
  }
  for (let i = 0; i < iterations && result.failures.length < MAX_FAILURES; i++) {
    const input = mutate(random.pick(corpus), corpus, random)
    if (random.int(2) === 0) reader.mend?.(input)
    const start = performance.now()
    try {
      if ((await reader.read(input)) === false) {
        result.refused++
        continue
      }
      result.accepted++
      if (corpus.length < MAX_CORPUS && input.length <= MAX_INPUT_BYTES) corpus.push(input)
    } catch (error) {
      if (isClear(error, reader, input)) result.refused++
      else result.failures.push({ input, error })
    }
    const elapsedMs = performance.now() - start
    if (elapsedMs > result.slowest.elapsedMs) result.slowest = { input, elapsedMs }
  }
  return result
}

/** The corpus stays small: what is accepted is mutated further, up to so many files of so many bytes. */
const MAX_CORPUS = 200
const MAX_INPUT_BYTES = 4096
const MAX_FAILURES = 10

/** A refusal as a person needs it: of the right family, short, with the file and a byte that is in it, a field or a tensor. */
function isClear(error: unknown, reader: FuzzedReader, input: Uint8Array): boolean {
  if (!(error instanceof SmolforgeError) || !['damaged', 'input'].includes(error.code)) return false
  const { file, byte, field } = error.place
  if (file !== reader.file || error.message.length > 500) return false
  if (byte === undefined) return field !== undefined || error.message.includes('tensor')
  return byte >= 0 && byte <= input.length
}

function readSafetensors(bytes: Uint8Array): void {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, FILE)
  const { entries } = parseHeader(bytes.subarray(8, 8 + length), bytes.length, FILE)
  checkEntries(
    entries.map((entry) => ({ ...entry, bytes: size(entry.shape) * elementBytes[entry.dtype] })),
    bytes,
  )
}

/** Announces a header up to the last brace. */
function mendSafetensors(bytes: Uint8Array): void {
  const end = bytes.lastIndexOf(0x7d) + 1
  if (end >= 10) new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(0, BigInt(end - 8), true)
}

function readGguf(bytes: Uint8Array): void {
  // As a large file is read: first its beginning, then more.
  const half = parseGgufHeader(bytes.subarray(0, bytes.length >> 1), bytes.length, FILE)
  const header = parseGgufHeader(bytes, bytes.length, FILE)
  if (header === undefined) throw new Error('the whole file was given, the reader asks for more')
  if (half !== undefined && half.headerBytes !== header.headerBytes)
    throw new Error('half a header reads otherwise')
  for (const value of header.metadata.values()) {
    if (!(value instanceof GgufArray)) continue
    const elements = value.strings() ?? value.numbers()
    if (elements !== undefined && elements.length !== value.length)
      throw new Error('an array has another length')
  }
  checkEntries(
    header.tensors.map((tensor) => {
      const { elements, bytes: blockBytes } = ggufFormats[tensor.format]
      return { ...tensor, bytes: (size(tensor.shape) / elements) * blockBytes }
    }),
    bytes,
  )
}

/** A whole model, as far as loading goes: its configuration, all of its weights, its tokenizer at work. */
async function readModel(bytes: Uint8Array): Promise<void> {
  writeFileSync(MODEL_FILE, bytes)
  try {
    const checkpoint = await openCheckpoint(MODEL_FILE)
    try {
      for (const [name, shape] of parameterShapes(checkpoint.config)) {
        const values = await checkpoint.read(name)
        if (values.length !== size(shape)) throw new Error(`${name} has another length`)
      }
      const tokenizer = await checkpoint.tokenizer()
      const text = 'ab ba 12 aab\u00e9<|im_start|>'
      tokenizer.decode(tokenizer.encode(text))
      tokenizer.encode(text.repeat(100))
    } finally {
      await checkpoint.close()
    }
  } finally {
    rmSync(MODEL_FILE)
  }
}

/** What must hold of tensors that are going to be read: named once, in the file, as long as they say, apart. */
function checkEntries(
  entries: readonly { name: string; start: number; end: number; bytes: number }[],
  file: Uint8Array,
): void {
  if (new Set(entries.map(({ name }) => name)).size !== entries.length)
    throw new Error('a name is there twice')
  let position = 0
  for (const { start, end, bytes } of entries) {
    if (!Number.isInteger(bytes) || end - start !== bytes) throw new Error('a tensor has another length')
    if (start < position || end > file.length) throw new Error('a tensor lies outside or over another')
    position = end
  }
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}
