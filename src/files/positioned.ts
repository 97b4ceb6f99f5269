import type { FileHandle } from 'node:fs/promises'
import { SmolforgeError } from '../errors.ts'

/** One system call moves less than 2 GiB. */
const MAX_CALL_BYTES = 1 << 30

/** `length` bytes from `position`; SmolforgeError `damaged` where the file ends before. */
export async function readWhole(
  handle: FileHandle,
  position: number,
  length: number,
  file: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const wanted = Math.min(MAX_CALL_BYTES, length - done)
    const { bytesRead } = await handle.read(bytes, done, wanted, position + done)
    if (bytesRead === 0) {
      throw new SmolforgeError('damaged', 'The file ended while it was read', {
        place: { file, byte: position + done },
      })
    }
    done += bytesRead
  }
  return bytes
}

/** Appends all of the bytes. */
export async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0
  while (done < bytes.byteLength) {
    const wanted = Math.min(MAX_CALL_BYTES, bytes.byteLength - done)
    done += (await handle.write(bytes, done, wanted)).bytesWritten
  }
}
