import { open, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { listFiles, readSource } from '../corpus/index.ts'
import { fileError } from '../errors.ts'
import { type ReadTextsOptions, readJsonLinesBatches, type TextBatch, textBatch } from './textBatches.ts'

/** What is read in a folder; a file by itself is read whatever its name. */
const INCLUDED = ['**/*.{jsonl,ndjson,jsonl.gz,ndjson.gz,jsonl.zst,ndjson.zst,parquet}']

/**
 * Reads documents in batches that stay in the addon: a file of JSON lines `{"id","text","url"?}`, plain, gzip or zstd, or
 * a Parquet file with such columns, as the first bytes say; or a folder of them, in the order of their names. A line
 * that is no such object is a damage, and so is the rest of a file whose compression is broken. Memory does not grow
 * with the input.
 *
 * @throws SmolforgeError `input` or `storage` when a file cannot be opened or read.
 */
export async function* readTextBatches(
  path: string,
  options: ReadTextsOptions = {},
): AsyncGenerator<TextBatch> {
  for (const file of await inputFiles(path)) {
    if (await isParquet(file.path)) yield* readParquetBatches(file.path, options)
    else yield* readJsonLinesBatches(file.path, options)
  }
}

/** Bytes of a file, or of the files of a folder that `readTextBatches` reads. */
export async function inputBytes(path: string): Promise<number> {
  return (await inputFiles(path)).reduce((sum, { bytes }) => sum + bytes, 0)
}

async function inputFiles(path: string): Promise<{ path: string; bytes: number }[]> {
  const found = await stat(path).catch((error) => {
    throw fileError(error, path)
  })
  return found.isDirectory() ? listFiles(path, { include: INCLUDED }) : [{ path, bytes: found.size }]
}

async function* readParquetBatches(path: string, { onDamage }: ReadTextsOptions): AsyncGenerator<TextBatch> {
  const source = { name: basename(path), domain: 'text', licence: 'unknown', path: basename(path) }
  const folder = dirname(path)
  const documents = readSource(
    { ...source, reader: 'parquet' },
    {
      cacheDir: folder,
      baseDir: folder,
      keepRecords: true,
      onDamage: (damage) => onDamage?.(damage),
      onSkip: (reason) => onDamage?.({ file: path, byteOffset: 0, bytesLost: 0, reason }),
    },
  )
  for await (const batch of documents) {
    yield textBatch(
      batch.map(({ text }) => text),
      batch.map(({ id }) => JSON.stringify(id)),
      batch.map(({ url }) => url),
    )
  }
}

async function isParquet(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'r')
    try {
      const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0)
      return buffer.toString('latin1') === 'PAR1'
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fileError(error, path)
  }
}
