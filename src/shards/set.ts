import { closeSync, openSync, readSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'
import { hashFile } from '../files/atomic.ts'
import { bytesPerToken, readManifest, type ShardManifest, type StoredFile } from './manifest.ts'

export interface ShardDocument {
  id: string
  /** Its tokens are `start..end` of the set, the last one being the end token. */
  start: number
  end: number
}

export interface OpenShardsOptions {
  /** `checksums` reads every byte; `sizes` only looks at the lengths of the files. Default `checksums`. */
  verify?: 'checksums' | 'sizes'
}

const MOST_OPEN_FILES = 64
const IDS_AT_A_TIME = 1 << 14

/** The tokens of one domain on the disk, and which document each belongs to. */
export class ShardSet {
  readonly domain: string
  readonly tokens: number
  readonly documents: number
  readonly vocabSize: number
  readonly endOfTextId: number
  readonly dtype: 'u16' | 'u32'
  readonly #dir: string
  readonly #width: 2 | 4
  readonly #shards: readonly { file: string; start: number; end: number }[]
  /** Where each document starts, and at last where the set ends. */
  readonly #starts: Float64Array
  readonly #idStarts: Float64Array
  readonly #idsFile: string
  readonly #descriptors = new Map<string, number>()

  private constructor(dir: string, manifest: ShardManifest, starts: Float64Array, idStarts: Float64Array) {
    this.domain = manifest.domain
    this.tokens = manifest.tokens
    this.documents = manifest.documents
    this.vocabSize = manifest.vocabSize
    this.endOfTextId = manifest.endOfTextId
    this.#dir = dir
    this.dtype = manifest.dtype
    this.#width = bytesPerToken(manifest.dtype)
    this.#starts = starts
    this.#idStarts = idStarts
    this.#idsFile = manifest.ids.file
    let start = 0
    this.#shards = manifest.shards.map(({ file, tokens }) => {
      const shard = { file, start, end: start + tokens }
      start = shard.end
      return shard
    })
  }

  /**
   * Opens a folder that `writeShards` made.
   *
   * @throws SmolforgeError `damaged` that names the file which is missing, too short, or not what was written.
   */
  static async open(dir: string, options: OpenShardsOptions = {}): Promise<ShardSet> {
    const manifest = await readManifest(dir)
    for (const file of [manifest.lengths, manifest.ids, ...manifest.shards]) {
      await verifyFile(dir, file, options.verify ?? 'checksums')
    }
    const { starts, idStarts } = await readIndex(join(dir, manifest.lengths.file), manifest)
    return new ShardSet(dir, manifest, starts, idStarts)
  }

  /** The document that the token at this position belongs to. */
  documentAt(token: number): ShardDocument {
    if (!(token >= 0 && token < this.tokens)) {
      throw new SmolforgeError(
        'usage',
        `Token ${token} is outside the ${this.tokens} tokens of ${this.domain}`,
      )
    }
    let low = 0
    let high = this.documents
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (this.#starts[middle] <= token) low = middle
      else high = middle
    }
    return this.document(low)
  }

  /** A document by its number, in the order of writing. */
  document(index: number): ShardDocument {
    const { start, end } = this.span(index)
    const from = this.#idStarts[index]
    const id = Buffer.alloc(this.#idStarts[index + 1] - from)
    this.#readAt(this.#idsFile, id, from)
    return { id: id.toString('utf8'), start, end }
  }

  /** Where a document went, by its id: the first that has it. Reads the ids front to back. */
  find(id: string): ShardDocument | undefined {
    const wanted = Buffer.from(id)
    for (let first = 0; first < this.documents; first += IDS_AT_A_TIME) {
      const end = Math.min(this.documents, first + IDS_AT_A_TIME)
      const from = this.#idStarts[first]
      const bytes = Buffer.alloc(this.#idStarts[end] - from)
      this.#readAt(this.#idsFile, bytes, from)
      for (let index = first; index < end; index++) {
        const own = bytes.subarray(this.#idStarts[index] - from, this.#idStarts[index + 1] - from)
        if (own.equals(wanted)) return { id, ...this.span(index) }
      }
    }
    return undefined
  }

  /** The file that a token lies in, and the byte where it begins there. */
  fileOf(token: number): { file: string; byte: number } {
    const { file, start } = this.#shards[this.#shardAt(token)]
    return { file, byte: (token - start) * this.#width }
  }

  /** The shards with their tokens, in order. */
  get shards(): { file: string; tokens: number }[] {
    return this.#shards.map(({ file, start, end }) => ({ file, tokens: end - start }))
  }

  /** Where a document lies, without its id. */
  span(index: number): { start: number; end: number } {
    if (!(Number.isInteger(index) && index >= 0 && index < this.documents)) {
      throw new SmolforgeError(
        'usage',
        `${this.domain} has ${this.documents} documents, not one numbered ${index}`,
      )
    }
    return { start: this.#starts[index], end: this.#starts[index + 1] }
  }

  /** How many tokens a document has; no check of the index. */
  lengthOf(index: number): number {
    return this.#starts[index + 1] - this.#starts[index]
  }

  /** Copies the tokens `start..end` of the set into `into`, from `at` on. */
  read(start: number, end: number, into: Int32Array, at = 0): void {
    if (!(start >= 0 && start <= end && end <= this.tokens && at + end - start <= into.length)) {
      throw new SmolforgeError(
        'usage',
        `Tokens ${start} to ${end} are outside ${this.domain} or too many to copy`,
      )
    }
    let index = this.#shardAt(start)
    while (start < end) {
      const shard = this.#shards[index++]
      const stop = Math.min(end, shard.end)
      const bytes = new Uint8Array((stop - start) * this.#width)
      this.#readAt(shard.file, bytes, (start - shard.start) * this.#width)
      into.set(this.#width === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer), at)
      at += stop - start
      start = stop
    }
  }

  /** Closes the files; they open again when read. */
  close(): void {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor)
    this.#descriptors.clear()
  }

  #shardAt(token: number): number {
    let low = 0
    let high = this.#shards.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (this.#shards[middle].start <= token) low = middle
      else high = middle
    }
    return low
  }

  #readAt(file: string, bytes: Uint8Array, position: number): void {
    const path = join(this.#dir, file)
    let done = 0
    try {
      const descriptor = this.#descriptors.get(file) ?? this.#open(file, path)
      while (done < bytes.length) {
        const read = readSync(descriptor, bytes, done, bytes.length - done, position + done)
        if (read === 0) break
        done += read
      }
    } catch (error) {
      throw fileError(error, path)
    }
    if (done < bytes.length) throw damaged(path, 'it ends too early', position + done)
  }

  #open(file: string, path: string): number {
    if (this.#descriptors.size >= MOST_OPEN_FILES) this.close()
    const descriptor = openSync(path, 'r')
    this.#descriptors.set(file, descriptor)
    return descriptor
  }
}

async function verifyFile(dir: string, stored: StoredFile, verify: 'checksums' | 'sizes'): Promise<void> {
  const path = join(dir, stored.file)
  let size: number
  try {
    size = (await stat(path)).size
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    throw gone ? damaged(path, 'it is missing') : fileError(error, path)
  }
  if (size !== stored.bytes) throw damaged(path, `it has ${size} bytes, not ${stored.bytes}`)
  if (verify === 'checksums' && (await hashFile(path)) !== stored.sha256) {
    throw damaged(path, 'its checksum is not the one it was written with')
  }
}

async function readIndex(path: string, manifest: ShardManifest) {
  const bytes = await readFile(path).catch((error) => {
    throw fileError(error, path)
  })
  const lengths = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  const starts = new Float64Array(manifest.documents + 1)
  const idStarts = new Float64Array(manifest.documents + 1)
  for (let i = 0; i < manifest.documents; i++) {
    if (lengths[2 * i] === 0) throw damaged(path, `document ${i} has no token`)
    starts[i + 1] = starts[i] + lengths[2 * i]
    idStarts[i + 1] = idStarts[i] + lengths[2 * i + 1]
  }
  if (starts[manifest.documents] !== manifest.tokens || idStarts[manifest.documents] !== manifest.ids.bytes) {
    throw damaged(path, 'its documents do not add up to the shards')
  }
  return { starts, idStarts }
}

function damaged(file: string, what: string, byte?: number): SmolforgeError {
  return new SmolforgeError('damaged', `A file of the shards is damaged: ${what}`, {
    place: { file, byte },
    hint: 'Make the shards again: delete their folder and run the same command.',
  })
}
