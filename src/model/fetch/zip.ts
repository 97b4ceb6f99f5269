import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { crc32, createInflateRaw } from 'node:zlib'
import { fileError, SmolforgeError } from '../../errors.ts'

const END_BYTES = 22
const MAX_COMMENT_BYTES = 65_535
const MAX_DIRECTORY_BYTES = 16 << 20
const LOCAL_BYTES = 30
const STORED = 0
const DEFLATED = 8

/**
 * Unpacks one member of a zip archive (a Python wheel) to a file of the caller's choosing, so that no path of the
 * archive is ever followed. Not one byte more than `maxBytes` is written; size and CRC are checked.
 *
 * Format: PKWARE APPNOTE 6.3; archives past 4 GiB (zip64) and encrypted members are refused.
 *
 * @returns the member's size, and its SHA-256 in hex.
 * @throws SmolforgeError `damaged` or `input` naming the archive and the byte.
 */
export async function unpackMember(
  archive: string,
  member: string,
  to: string,
  maxBytes: number,
): Promise<{ bytes: number; sha256: string }> {
  try {
    const handle = await open(archive, 'r')
    let entry: Entry
    try {
      entry = await findEntry(handle, archive, member)
    } finally {
      await handle.close()
    }
    if (entry.bytes > maxBytes) {
      throw damaged(
        archive,
        entry.start,
        `${member} unpacks to ${entry.bytes} bytes, at most ${maxBytes} can be`,
      )
    }
    return await inflate(archive, entry, to)
  } catch (error) {
    throw fileError(error, archive)
  }
}

interface Entry {
  name: string
  method: number
  crc: number
  packedBytes: number
  bytes: number
  /** Where its data begin. */
  start: number
}

async function findEntry(handle: FileHandle, file: string, member: string): Promise<Entry> {
  const fileBytes = (await handle.stat()).size
  const tailStart = Math.max(0, fileBytes - END_BYTES - MAX_COMMENT_BYTES)
  const tail = await readAt(handle, tailStart, fileBytes - tailStart, file)
  const end = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  if (end < 0 || end + END_BYTES > tail.length) throw damaged(file, fileBytes, 'This is no whole zip archive')
  const directoryBytes = tail.readUInt32LE(end + 12)
  const directoryStart = tail.readUInt32LE(end + 16)
  if (directoryBytes > MAX_DIRECTORY_BYTES || directoryStart + directoryBytes > tailStart + end) {
    throw damaged(file, tailStart + end, 'The directory of the archive does not lie in it')
  }
  const directory = await readAt(handle, directoryStart, directoryBytes, file)
  for (let at = 0; at + 46 <= directory.length; ) {
    if (directory.readUInt32LE(at) !== 0x02014b50)
      throw damaged(file, directoryStart + at, 'No entry of a directory')
    const nameBytes = directory.readUInt16LE(at + 28)
    const name = directory.toString('utf8', at + 46, at + 46 + nameBytes)
    if (name === member) return checkedEntry(handle, file, directory.subarray(at), member, directoryStart)
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  throw new SmolforgeError('input', `The archive has no ${member}`, { place: { file } })
}

async function checkedEntry(
  handle: FileHandle,
  file: string,
  head: Buffer,
  name: string,
  dataEnd: number,
): Promise<Entry> {
  const flags = head.readUInt16LE(8)
  const method = head.readUInt16LE(10)
  const [packedBytes, bytes, offset] = [head.readUInt32LE(20), head.readUInt32LE(24), head.readUInt32LE(42)]
  if ((flags & 1) !== 0 || (method !== STORED && method !== DEFLATED)) {
    throw new SmolforgeError('input', `${name} is encrypted or packed by method ${method}`, {
      place: { file },
    })
  }
  if (offset + LOCAL_BYTES > dataEnd)
    throw damaged(file, offset, `${name} does not lie in the archive (or is zip64)`)
  const local = await readAt(handle, offset, LOCAL_BYTES, file)
  const start = offset + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28)
  if (local.readUInt32LE(0) !== 0x04034b50 || start + packedBytes > dataEnd) {
    throw damaged(file, offset, `${name} does not lie in the archive`)
  }
  return { name, method, crc: head.readUInt32LE(16), packedBytes, bytes, start }
}

async function inflate(file: string, entry: Entry, to: string): Promise<{ bytes: number; sha256: string }> {
  const { name, method, crc, packedBytes, start } = entry
  const hash = createHash('sha256')
  let bytes = 0
  let sum = 0
  const target = await open(to, 'w').catch((error) => {
    throw fileError(error, to)
  })
  const packed = createReadStream(file, {
    start,
    end: Math.max(start, start + packedBytes - 1),
    highWaterMark: 1 << 18,
  })
  const source = method === STORED ? packed : packed.pipe(createInflateRaw({ chunkSize: 1 << 18 }))
  packed.on('error', (error) => source.destroy(error))
  try {
    for await (const chunk of packedBytes > 0 ? (source as AsyncIterable<Buffer>) : []) {
      bytes += chunk.length
      if (bytes > entry.bytes) {
        throw damaged(file, start, `${name} unpacks to more than its ${entry.bytes} bytes`)
      }
      hash.update(chunk)
      sum = crc32(chunk, sum)
      await target.writeFile(chunk).catch((error) => {
        throw fileError(error, to)
      })
    }
    await target.sync()
  } catch (error) {
    const isInflate = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
    throw isInflate ? damaged(file, start, `${name} cannot be unpacked`) : error
  } finally {
    packed.destroy()
    await target.close()
  }
  if (bytes !== entry.bytes || sum !== crc) {
    throw damaged(file, start, `${name} is not as the archive says: its size or checksum differs`)
  }
  return { bytes, sha256: hash.digest('hex') }
}

async function readAt(handle: FileHandle, position: number, length: number, file: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  const { bytesRead } = await handle.read(bytes, 0, length, position)
  if (bytesRead < length) throw damaged(file, position + bytesRead, 'The file ended while it was read')
  return bytes
}

function damaged(file: string, byte: number, message: string): SmolforgeError {
  return new SmolforgeError('damaged', message, {
    place: { file, byte },
    hint: 'Not a whole archive: fetch it again.',
  })
}
