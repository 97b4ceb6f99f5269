import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
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
  /** Stretches of bytes that are no UTF-8 and became U+FFFD. */
  replaced: number
}

/** A range of a packed file that cannot be decoded. */
export interface PackedDamage {
  byteOffset: number
  bytesLost: number
  reason: string
}

/**
 * Streams the lines of a plain, gzip or zstd file, as its first bytes say (the name is not trusted), in batches. With
 * `onDamage` a stretch that cannot be unpacked is told and the lines behind it are read, from the next member on; the
 * line that it cuts is lost with it.
 *
 * @throws SmolforgeError `damaged` with file and byte when the compressed data is broken or ends too early, without
 * `onDamage`.
 */
export async function* readLines(
  path: string,
  onDamage?: (damage: PackedDamage) => void,
): AsyncGenerator<readonly Line[]> {
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
    const replaced = tooLong || isUtf8(bytes) ? 0 : countReplaced(bytes, text)
    const taken = { text, line: ++line, byteOffset: offset, byteLength, tooLong, replaced }
    offset += byteLength + 1
    rest = []
    restBytes = 0
    discarded = 0
    return taken
  }
  for await (const chunk of readBytes(path)) {
    if (!Buffer.isBuffer(chunk)) {
      if (onDamage === undefined) throw damaged(path, chunk)
      onDamage(chunk)
      offset += restBytes + discarded
      rest = []
      restBytes = 0
      discarded = 0
      continue
    }
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

/** The bytes of a file, uncompressed, and the stretches of it that cannot be decoded. */
async function* readBytes(path: string): AsyncGenerator<Buffer | PackedDamage> {
  const packing = await packingOf(path)
  if (packing === undefined) {
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: STEP })) yield chunk as Buffer
    } catch (error) {
      throw fileError(error, path)
    }
    return
  }
  const reader = new (loadAddon<CorpusKernels>().PackedReader)(path, packing === 'zstd')
  for (;;) {
    const piece = await reader.next(STEP).catch((cause) => {
      throw new SmolforgeError('storage', `Cannot read: ${cause}`, { place: { file: path }, cause })
    })
    if (piece === null) return
    const { text, offset, length, reason } = piece
    yield text ?? { byteOffset: offset, bytesLost: length, reason: reason ?? 'damaged' }
  }
}

/** How a file is packed: by its first bytes; by its name, where they are neither that nor text. */
async function packingOf(path: string): Promise<'gzip' | 'zstd' | undefined> {
  const handle = await open(path, 'r').catch((error) => {
    throw fileError(error, path)
  })
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(4096), 0, 4096, 0)
    const start = buffer.subarray(0, bytesRead)
    if (start.length >= 2 && start.readUInt16BE(0) === 0x1f8b) return 'gzip'
    if (start.length >= 4 && isZstd(start.readUInt32LE(0))) return 'zstd'
    // Some dumps are named .gz and are plain.
    const seemsPacked = start.includes(0) || !isUtf8(start.subarray(0, start.lastIndexOf(10) + 1))
    if (bytesRead > 0 && seemsPacked) {
      if (path.endsWith('.gz')) return 'gzip'
      if (path.endsWith('.zst')) return 'zstd'
    }
    return undefined
  } catch (error) {
    throw fileError(error, path)
  } finally {
    await handle.close()
  }
}

/** U+FFFD in the text that is not written as such in the bytes. */
function countReplaced(bytes: Buffer, text: string): number {
  let count = 0
  for (let at = text.indexOf('\uFFFD'); at >= 0; at = text.indexOf('\uFFFD', at + 1)) count++
  const written = Buffer.from('\uFFFD')
  for (let at = bytes.indexOf(written); at >= 0; at = bytes.indexOf(written, at + 3)) count--
  return count
}

const isZstd = (magic: number) => magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5

function damaged(path: string, { byteOffset, reason }: PackedDamage): SmolforgeError {
  return new SmolforgeError('damaged', `The compressed file is damaged or ends too early: ${reason}`, {
    place: { file: path, byte: byteOffset },
    hint: 'Make or fetch the file again.',
  })
}
