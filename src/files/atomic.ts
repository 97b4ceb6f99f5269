import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError } from '../errors.ts'
import { writeWhole } from './positioned.ts'

/**
 * Writes a file that is either wholly there or not at all: temporary name, fsync, rename, fsync of the folder.
 * A crash leaves at most a `.tmp` file beside it, which the next write replaces.
 */
export function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  return replaceFile(path, (handle) => handle.writeFile(data))
}

/**
 * As `writeFileAtomic`, of what `body` writes chunk by chunk.
 *
 * @returns the file's size and SHA-256, taken on the way.
 */
export async function writeChunksAtomic(
  path: string,
  body: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  await replaceFile(path, (handle) =>
    body(async (chunk) => {
      hash.update(chunk)
      bytes += chunk.byteLength
      await writeWhole(handle, chunk)
    }),
  )
  return { bytes, sha256: hash.digest('hex') }
}

/** As `writeChunksAtomic` without the hash, for outputs that nothing is compared with later. */
export function writeOutputAtomic(
  path: string,
  body: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  return replaceFile(path, (handle) => body((chunk) => writeWhole(handle, chunk)))
}

/** As `writeOutputAtomic` where there is a path; else `body` runs without a file. */
export function writeOptionalOutput(
  path: string | undefined,
  body: (write?: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  return path === undefined ? body() : writeOutputAtomic(path, body)
}

async function replaceFile(path: string, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path)
  try {
    const handle = await open(temporary, 'w')
    try {
      await fill(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw fileError(error, path)
  }
}

/**
 * Removes what writes that a crash cut short left under a folder: `.tmp` files of `writeFileAtomic` and `.partial`
 * folders. To be called while nothing is written there.
 */
export async function removeUnfinishedWrites(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!/^\..+\.(tmp|partial)$/.test(entry.name)) continue
    await rm(join(entry.parentPath, entry.name), { recursive: true, force: true })
  }
}

const temporaryName = (path: string) => join(dirname(path), `.${basename(path)}.tmp`)

/** Moves a finished folder to its final name by one rename, durable on return. The target must not exist. */
export async function publishFolder(from: string, to: string): Promise<void> {
  try {
    await mkdir(dirname(to), { recursive: true })
    await syncFolder(from)
    await rename(from, to)
    await syncFolder(dirname(to))
  } catch (error) {
    throw fileError(error, to)
  }
}

/** Flushes one file's contents to the disk. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Flushes a folder's entries to the disk, so that a rename in it survives a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** SHA-256 of a file's bytes, in hex, read as a stream. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  } catch (error) {
    throw fileError(error, path)
  }
  return hash.digest('hex')
}
