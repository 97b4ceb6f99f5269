import type { FileHandle } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import { loadAddon } from '../native/addon.ts'
import type { Document } from './document.ts'
import type { CorpusKernels } from './kernels.ts'

/** Where documents are written to one by one. */
export interface DocumentSink {
  add(document: Document): Promise<void>
  /** Writes what is still waiting; the file's handle stays open. */
  end(): Promise<void>
}

const PIECE = 1 << 20
const ZSTD_LEVEL = 3

/** Writes documents as JSON lines in pieces of about a megabyte, packed as the name's ending says. */
export function jsonLinesSink(handle: FileHandle, name: string): DocumentSink {
  const pack = packer(name)
  let lines: string[] = []
  let characters = 0
  const flush = async () => {
    await handle.writeFile(pack.push(Buffer.from(lines.join(''), 'utf8')))
    lines = []
    characters = 0
  }
  return {
    async add(document) {
      const line = `${JSON.stringify(document)}\n`
      lines.push(line)
      characters += line.length
      if (characters >= PIECE) await flush()
    },
    async end() {
      await flush()
      await handle.writeFile(pack.end())
    },
  }
}

/** Compresses pieces; gzip makes a member of each piece, which together are one stream. */
function packer(name: string): { push(bytes: Buffer): Buffer; end(): Buffer } {
  if (name.endsWith('.zst')) return new (loadAddon<CorpusKernels>().ZstdEncoder)(ZSTD_LEVEL)
  if (name.endsWith('.gz')) {
    return {
      push: (bytes) => (bytes.length > 0 ? gzipSync(bytes, { level: 6 }) : bytes),
      end: () => Buffer.alloc(0),
    }
  }
  return { push: (bytes) => bytes, end: () => Buffer.alloc(0) }
}
