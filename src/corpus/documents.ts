import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { type ErrorPlace, fileError, SmolforgeError } from '../errors.ts'
import { syncFolder } from '../files/atomic.ts'
import type { Document, DocumentStream } from './document.ts'
import { readLines } from './lines.ts'
import type { ParquetCodec } from './parquet/codecs.ts'
import { readParquet } from './parquet/guard.ts'
import { parquetSink } from './parquet/write.ts'
import { type DocumentSink, jsonLinesSink } from './sink.ts'

export interface WrittenDocuments {
  documents: number
  /** UTF-8 bytes of text. */
  bytes: number
}

/**
 * Writes documents; the extension says how: `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `.parquet` (zstd pages). The file
 * has its name only when it is whole: it is written beside it, flushed to the disk and renamed.
 */
export async function writeDocuments(
  path: string,
  documents: DocumentStream,
  options: { parquetCodec?: ParquetCodec } = {},
): Promise<WrittenDocuments> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`)
  const written = { documents: 0, bytes: 0 }
  const output = await open(temporary, 'w').catch((error) => {
    throw fileError(error, temporary)
  })
  try {
    const sink = documentSink(output, path, options.parquetCodec)
    for await (const batch of documents) {
      for (const document of batch) {
        await sink.add(document)
        written.documents++
        written.bytes += Buffer.byteLength(document.text)
      }
    }
    await sink.end()
    await output.sync()
    await output.close()
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await output.close().catch(() => {})
    await rm(temporary, { force: true }).catch(() => {})
    throw fileError(error, path)
  }
  return written
}

/** Writes documents to an open file in the form that its name says. */
export function documentSink(handle: FileHandle, name: string, parquetCodec?: ParquetCodec): DocumentSink {
  return name.endsWith('.parquet') ? parquetSink(handle, parquetCodec) : jsonLinesSink(handle, name)
}

/**
 * Reads what `writeDocuments` wrote, in batches of about a megabyte.
 *
 * @throws SmolforgeError `damaged` naming file and byte when the file is cut or changed.
 */
export async function* readDocuments(path: string): DocumentStream {
  if (path.endsWith('.parquet')) {
    yield* readParquetDocuments(path)
    return
  }
  // The byte of a line is a place in the file only where nothing is compressed.
  const plain = !/\.(gz|zst)$/.test(path)
  for await (const lines of readLines(path)) {
    const batch: Document[] = []
    for (const { text, line, byteOffset } of lines) {
      if (text === '') continue
      batch.push(parseDocument(text, { file: path, line, byte: plain ? byteOffset : undefined }))
    }
    if (batch.length > 0) yield batch
  }
}

async function* readParquetDocuments(path: string): DocumentStream {
  for await (const part of readParquet(path)) {
    if ('reason' in part) {
      const place = { file: path, byte: part.byteOffset }
      throw new SmolforgeError('damaged', `The Parquet file is damaged: ${part.reason}`, { place })
    }
    yield part.rows.map((row, index) => {
      const place = { file: path, line: part.firstRow + index + 1 }
      const { scores, meta, ...rest } = Object.fromEntries(
        Object.entries(row).filter(([, cell]) => cell !== null),
      )
      try {
        return checkDocument({ ...rest, scores: parseCell(scores), meta: parseCell(meta) }, place)
      } catch (error) {
        throw error instanceof SmolforgeError ? error : notDocument('scores or meta is no JSON', place)
      }
    })
  }
}

const parseCell = (cell: unknown): unknown => (typeof cell === 'string' ? JSON.parse(cell) : cell)

const documentSchema = z.object({
  id: z.string(),
  text: z.string(),
  source: z.string(),
  licence: z.string(),
  url: z.string().optional(),
  language: z.string().optional(),
  scores: z.record(z.string(), z.number()),
  meta: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
})

function parseDocument(text: string, place: ErrorPlace): Document {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw notDocument('no JSON', place)
  }
  return checkDocument(value, place)
}

function checkDocument(value: unknown, place: ErrorPlace): Document {
  const parsed = documentSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw notDocument(`${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim(), place)
}

function notDocument(reason: string, place: ErrorPlace): SmolforgeError {
  return new SmolforgeError('damaged', `Not a document: ${reason}`, { place })
}
