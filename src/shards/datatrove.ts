import { existsSync } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'
import { publishFolder } from '../files/atomic.ts'
import { readWhole, writeWhole } from '../files/positioned.ts'
import { Random } from '../random/random.ts'
import type { ShardSet } from './set.ts'
import type { TokenizedDocument } from './write.ts'

/** One `.ds` file with what its `.index` and `.metadata` say. */
export interface DatatroveFile {
  path: string
  tokens: number
  documents: number
  tokenSize: 2 | 4
  /** What the other trainer is told to load the tokenizer from. */
  tokenizer: string
}

export interface DatatroveExport {
  /** A Hugging Face id or a folder: what the other trainer loads the tokenizer from. */
  tokenizer: string
  /** Of the order of documents. Default 0. */
  seed?: number
  /** A file is closed at the first document that takes it to this many tokens. Default 2^30. */
  fileTokens?: number
}

const BUFFER_TOKENS = 1 << 20

/**
 * Writes shard sets as datatrove writes tokens for nanotron (huggingface/datatrove, pipeline/tokens/tokenizer.py): for
 * each domain `00000_DOMAIN_shuffled.ds`, tokens in u16 or u32 without a header; `.ds.index`, where each document ends,
 * in u64; `.ds.metadata`, three lines. Documents stand in an order drawn from the seed: the other trainer reads a file
 * front to back. The folder, which must be flat for nanotron, appears by one rename.
 */
export async function writeDatatrove(
  dir: string,
  sets: readonly ShardSet[],
  options: DatatroveExport,
): Promise<DatatroveFile[]> {
  if (existsSync(dir)) {
    throw new SmolforgeError('usage', 'The folder for the export exists already', { place: { file: dir } })
  }
  if (/[|\n]/.test(options.tokenizer)) {
    throw new SmolforgeError(
      'usage',
      'The name of the tokenizer has a | or a line end, which the format cannot hold',
    )
  }
  const partial = join(dirname(dir), `.${basename(dir)}.partial`)
  try {
    await rm(partial, { recursive: true, force: true })
    await mkdir(partial, { recursive: true })
    const files: DatatroveFile[] = []
    for (const set of sets) files.push(...(await writeSet(partial, set, options)))
    await publishFolder(partial, dir)
    return files.map((file) => ({ ...file, path: join(dir, basename(file.path)) }))
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {})
    throw fileError(error, dir)
  }
}

async function writeSet(
  dir: string,
  set: ShardSet,
  { tokenizer, seed = 0, fileTokens = 2 ** 30 }: DatatroveExport,
): Promise<DatatroveFile[]> {
  const tokenSize = set.vocabSize <= 65536 ? 2 : 4
  const order = shuffled(set.documents, Random.derive(seed, `datatrove/${set.domain}`))
  const files: DatatroveFile[] = []
  for (let at = 0; at < order.length || files.length === 0; ) {
    const number = String(files.length).padStart(5, '0')
    const path = join(dir, `${number}_${set.domain}_shuffled.ds`)
    const ends: bigint[] = []
    let tokens = 0
    await writeNew(path, async (handle) => {
      let buffer = new Int32Array(BUFFER_TOKENS)
      let waiting = 0
      const flush = async () => {
        const values = buffer.subarray(0, waiting)
        const packed = tokenSize === 2 ? Uint16Array.from(values) : Uint32Array.from(values)
        await writeWhole(handle, littleEndian(packed))
        waiting = 0
      }
      for (; at < order.length && tokens < fileTokens; at++) {
        const { start, end } = set.span(order[at])
        const length = end - start
        if (waiting + length > buffer.length) await flush()
        if (length > buffer.length) buffer = new Int32Array(length)
        set.read(start, end, buffer, waiting)
        waiting += length
        tokens += length
        ends.push(BigInt(tokens))
      }
      await flush()
    })
    await writeNew(`${path}.index`, (handle) => writeWhole(handle, littleEndian(BigUint64Array.from(ends))))
    const metadata = `${tokenizer}|${tokenSize}\n${tokens}\n${humanised(tokens)}`
    await writeNew(`${path}.metadata`, (handle) => writeWhole(handle, Buffer.from(metadata)))
    files.push({ path, tokens, documents: ends.length, tokenSize, tokenizer })
  }
  return files
}

/**
 * The `.ds` files of a folder (not of folders within, as in nanotron) or the one file, with their indices checked.
 *
 * @throws SmolforgeError `input` where there is none, `damaged` where sizes and index do not fit each other.
 */
export async function openDatatrove(path: string): Promise<DatatroveFile[]> {
  let paths = [path]
  try {
    if ((await stat(path)).isDirectory()) {
      paths = (await readdir(path)).filter((name) => name.endsWith('.ds')).map((name) => join(path, name))
    }
  } catch (error) {
    throw fileError(error, path)
  }
  if (paths.length === 0) throw new SmolforgeError('input', 'No .ds file is here', { place: { file: path } })
  return Promise.all(paths.sort().map(openFile))
}

async function openFile(path: string): Promise<DatatroveFile> {
  try {
    const { size } = await stat(path)
    const { size: indexBytes } = await stat(`${path}.index`)
    const metadata = await readFile(`${path}.metadata`, 'utf8').catch(() => undefined)
    const [, tokenizer = '', width] = /^(.*)\|([24])$/.exec(metadata?.split('\n')[0] ?? '') ?? []
    const last = indexBytes >= 8 ? (await readEnds(path, indexBytes / 8 - 1, 1))[0] : 0
    // Without metadata, as datatrove writes unless asked for it, the last end of a document tells the width.
    const tokenSize = width === undefined ? (last * 4 === size ? 4 : 2) : width === '4' ? 4 : 2
    if (indexBytes % 8 !== 0 || last * tokenSize !== size) {
      throw damaged(`${path}.index`, `its last document ends at token ${last}, the file has ${size} bytes`)
    }
    return { path, tokens: last, documents: indexBytes / 8, tokenSize, tokenizer }
  } catch (error) {
    throw fileError(error, path)
  }
}

const BATCH_DOCUMENTS = 1024

/** Streams the documents of one file; ids are the file's name and the document's number. */
export async function* readDatatrove(file: DatatroveFile): AsyncGenerator<TokenizedDocument[]> {
  const name = basename(file.path, '.ds')
  const handle = await open(file.path, 'r').catch((error) => {
    throw fileError(error, file.path)
  })
  try {
    let begin = 0
    for (let from = 0; from < file.documents; from += BATCH_DOCUMENTS) {
      const ends = await readEnds(file.path, from, Math.min(BATCH_DOCUMENTS, file.documents - from))
      const batch: TokenizedDocument[] = []
      for (const [at, end] of ends.entries()) {
        if (end < begin || end > file.tokens) {
          throw damaged(
            `${file.path}.index`,
            `document ${from + at} ends at token ${end}, begins at ${begin}`,
          )
        }
        const bytes = await readWhole(
          handle,
          begin * file.tokenSize,
          (end - begin) * file.tokenSize,
          file.path,
        )
        const view = new DataView(bytes.buffer)
        const tokens = new Uint32Array(end - begin)
        for (let i = 0; i < tokens.length; i++) {
          tokens[i] = file.tokenSize === 2 ? view.getUint16(2 * i, true) : view.getUint32(4 * i, true)
        }
        batch.push({ id: `${name}#${from + at}`, tokens })
        begin = end
      }
      yield batch
    }
  } catch (error) {
    throw fileError(error, file.path)
  } finally {
    await handle.close()
  }
}

async function readEnds(path: string, from: number, count: number): Promise<number[]> {
  const handle = await open(`${path}.index`, 'r')
  try {
    const bytes = await readWhole(handle, from * 8, count * 8, `${path}.index`)
    const view = new DataView(bytes.buffer)
    return Array.from({ length: count }, (_, i) => {
      const end = view.getBigUint64(8 * i, true)
      if (end > Number.MAX_SAFE_INTEGER) throw damaged(`${path}.index`, `a document ends at token ${end}`)
      return Number(end)
    })
  } finally {
    await handle.close()
  }
}

async function writeNew(path: string, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await fill(handle)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Every machine that Node runs on keeps numbers so. */
const littleEndian = ({ buffer, byteOffset, byteLength }: Uint16Array | Uint32Array | BigUint64Array) =>
  new Uint8Array(buffer, byteOffset, byteLength)

function shuffled(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.int(i + 1)
    const kept = order[i]
    order[i] = order[j]
    order[j] = kept
  }
  return order
}

/** 1234567 as `1.23 M`. */
function humanised(tokens: number): string {
  const units = ['', ' K', ' M', ' G', ' T']
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, tokens)) / 3))
  return `${Number((tokens / 1000 ** step).toPrecision(3))}${units[step]}`
}

const damaged = (file: string, what: string) =>
  new SmolforgeError('damaged', `The tokens are damaged: ${what}`, { place: { file } })
