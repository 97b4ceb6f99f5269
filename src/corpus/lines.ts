import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { fileError, SmolforgeError } from '../errors.ts'
import { loadAddon } from '../native/addon.ts'
import type { CorpusKernels } from './kernels.ts'

const MAX_LINE_BYTES = 64 << 20
const STEP = 1 << 20

/** One line of a text file. */
export interface Line {
  text: string
  line: number
  /** Where the line begins in the uncompressed text, and how long it is there. */
  byteOffset: number
  byteLength: number
  /** The line was longer than 64 MiB and its text is left out. */
  tooLong: boolean
}

/**
 * Streams the lines of a plain, gzip or zstd file, as its first bytes say (the name is not trusted), in batches.
 *
 * @throws SmolforgeError `damaged` with file and byte when the compressed data is broken or ends too early.
 */
export async function* readLines(path: string): AsyncGenerator<readonly Line[]> {
  let rest: Buffer[] = []
  let restBytes = 0
  let discarded = 0
  let line = 0
  let offset = 0
  const take = (last: Buffer): Line => {
    const byteLength = restBytes + discarded + last.length
    const tooLong = discarded > 0 || byteLength > MAX_LINE_BYTES
    const bytes = rest.length === 0 ? last : Buffer.concat([...rest, last])
    const text = tooLong ? '' : bytes.toString('utf8')
    const taken = { text, line: ++line, byteOffset: offset, byteLength, tooLong }
    offset += byteLength + 1
    rest = []
    restBytes = 0
    discarded = 0
    return taken
  }
  for await (const chunk of readBytes(path)) {
    const lines: Line[] = []
    let at = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, at)) {
      lines.push(take(chunk.subarray(at, end)))
      at = end + 1
    }
    if (at < chunk.length) {
      rest.push(chunk.subarray(at))
      restBytes += chunk.length - at
    }
    if (restBytes > MAX_LINE_BYTES) {
      discarded += restBytes
      rest = []
      restBytes = 0
    }
    if (lines.length > 0) yield lines
  }
  if (restBytes + discarded > 0) yield [take(Buffer.alloc(0))]
}

/** The bytes of a file, uncompressed. */
async function* readBytes(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: STEP })
  try {
    let unpack: ((chunks: AsyncIterable<Buffer>) => AsyncGenerator<Buffer>) | undefined
    const chunks = file[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    const first = await chunks.next()
    if (first.done) return
    const all = (async function* () {
      yield first.value
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value
    })()
    if (first.value.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))) unpack = (input) => gunzip(input, path)
    if (first.value.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))) {
      unpack = (input) => unzstd(input, path)
    }
    yield* unpack ? unpack(all) : all
  } catch (error) {
    throw fileError(error, path)
  } finally {
    file.destroy()
  }
}

async function* unzstd(chunks: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  const decoder = new (loadAddon<CorpusKernels>().ZstdDecoder)()
  const guard = <T>(work: () => T): T => {
    try {
      return work()
    } catch (cause) {
      throw damaged(path, decoder.consumed, cause)
    }
  }
  for await (const chunk of chunks) {
    decoder.push(chunk)
    for (let text = guard(() => decoder.next(STEP)); text !== null; text = guard(() => decoder.next(STEP))) {
      yield text
    }
  }
  guard(() => decoder.end())
}

async function* gunzip(chunks: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: 1 << 18 })
  const feed = (async () => {
    for await (const chunk of chunks) {
      if (gunzip.destroyed) return
      if (!gunzip.write(chunk)) await new Promise<void>((resolve) => gunzip.once('drain', resolve))
    }
    gunzip.end()
  })()
  feed.catch((error) => gunzip.destroy(error))
  try {
    for await (const text of gunzip) yield text as Buffer
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    throw code.startsWith('Z_') ? damaged(path, gunzip.bytesWritten, cause) : cause
  } finally {
    gunzip.destroy()
  }
}

function damaged(path: string, byte: number, cause: unknown): SmolforgeError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new SmolforgeError('damaged', `The compressed file is damaged or ends too early: ${reason}`, {
    place: { file: path, byte },
    hint: 'Make or fetch the file again.',
    cause,
  })
}
