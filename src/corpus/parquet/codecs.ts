import { gunzipSync, gzipSync } from 'node:zlib'
import { type Compressors, snappyUncompress } from 'hyparquet'
import { loadAddon } from '../../native/addon.ts'
import type { CorpusKernels } from '../kernels.ts'

/** A page is about a megabyte by every writer's default; what claims far more would fill the memory. */
const MAX_PAGE_BYTES = 512 << 20
const ZSTD_LEVEL = 3

/** How the pages of a Parquet file are unpacked; each gives exactly the length that the page's header says. */
export const unpackers: Compressors = {
  SNAPPY: checked((bytes, length) => {
    const output = new Uint8Array(length)
    snappyUncompress(bytes, output)
    return output
  }),
  GZIP: checked((bytes, length) => gunzipSync(bytes, { maxOutputLength: Math.max(1, length) })),
  ZSTD: checked((bytes, length) => loadAddon<CorpusKernels>().zstdDecompress(bytes, length)),
}

export const parquetCodecs = ['zstd', 'snappy', 'gzip'] as const
export type ParquetCodec = (typeof parquetCodecs)[number]

/** How pages are packed; snappy is the writer's own. A zstd page carries a checksum. */
export const packers: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  GZIP: (bytes) => gzipSync(bytes, { level: 6 }),
  ZSTD: (bytes) => loadAddon<CorpusKernels>().zstdCompress(bytes, ZSTD_LEVEL),
}

function checked(unpack: (bytes: Uint8Array, length: number) => Uint8Array) {
  return (bytes: Uint8Array, length: number): Uint8Array => {
    if (length > MAX_PAGE_BYTES) throw new Error(`a page of ${length} bytes, more than the limit`)
    const unpacked = unpack(bytes, length)
    if (unpacked.length !== length) throw new Error(`a page has ${unpacked.length} bytes, not ${length}`)
    return unpacked
  }
}
