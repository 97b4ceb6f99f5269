import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { z } from 'zod'
import { type ErrorPlace, fileError, SmolforgeError } from '../errors.ts'
import { syncFolder } from '../files/atomic.ts'
import { loadAddon } from '../native/addon.ts'
import type { Document, DocumentStream } from './document.ts'
import type { CorpusKernels } from './kernels.ts'
import { readLines } from './lines.ts'

const PIECE = 1 << 20
const ZSTD_LEVEL = 3

export interface WrittenDocuments {
  documents: number
  /** UTF-8 bytes of text. */
  bytes: number
}

/**
 * Writes documents as JSON lines; the extension says how: `.jsonl`, `.jsonl.gz` or `.jsonl.zst`. The file has its
 * name only when it is whole: it is written beside it, flushed to the disk and renamed.
 */
export async function writeDocuments(path: string, documents: DocumentStream): Promise<WrittenDocuments> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`)
  const written = { documents: 0, bytes: 0 }
  const pack = packer(path)
  const output = await open(temporary, 'w').catch((error) => {
    throw fileError(error, temporary)
  })
  try {
    let lines: string[] = []
    let characters = 0
    const flush = async () => {
      await output.writeFile(pack.push(Buffer.from(lines.join(''), 'utf8')))
      lines = []
      characters = 0
    }
    for await (const batch of documents) {
      for (const document of batch) {
        const line = `${JSON.stringify(document)}\n`
        lines.push(line)
        characters += line.length
        written.documents++
        written.bytes += Buffer.byteLength(document.text)
        if (characters >= PIECE) await flush()
      }
    }
    await flush()
    await output.writeFile(pack.end())
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

/**
 * Reads what `writeDocuments` wrote, in batches of about a megabyte.
 *
 * @throws SmolforgeError `damaged` naming file and byte when the file is cut or changed.
 */
export async function* readDocuments(path: string): DocumentStream {
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
  let reason: string
  try {
    const parsed = documentSchema.safeParse(JSON.parse(text))
    if (parsed.success) return parsed.data
    const issue = parsed.error.issues[0]
    reason = `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim()
  } catch {
    reason = 'no JSON'
  }
  throw new SmolforgeError('damaged', `Not a document: ${reason}`, { place })
}

/** Compresses pieces; gzip makes a member of each piece, which together are one stream. */
function packer(path: string): { push(bytes: Buffer): Buffer; end(): Buffer } {
  if (path.endsWith('.zst')) return new (loadAddon<CorpusKernels>().ZstdEncoder)(ZSTD_LEVEL)
  if (path.endsWith('.gz')) {
    return {
      push: (bytes) => (bytes.length > 0 ? gzipSync(bytes, { level: 6 }) : bytes),
      end: () => Buffer.alloc(0),
    }
  }
  return { push: (bytes) => bytes, end: () => Buffer.alloc(0) }
}
