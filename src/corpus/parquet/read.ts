import { type FileHandle, open } from 'node:fs/promises'
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type RowGroup,
} from 'hyparquet'
import { fileError, SmolforgeError } from '../../errors.ts'
import { readWhole } from '../../files/positioned.ts'
import { unpackers } from './codecs.ts'

/** Rows of a Parquet file, or a row group that cannot be read. */
export type ParquetPart =
  | { rows: Record<string, unknown>[]; firstRow: number }
  | { byteOffset: number; bytesLost: number; reason: string }

/** Said before the parts of a row group: its number, and where its columns lie. */
export interface GroupBegins {
  group: number
  start: number
  end: number
}

/** Hyparquet's own decoder takes a byte order mark away, which is a character of the text here. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
const parsers = { stringFromBytes: (bytes: Uint8Array | undefined) => bytes && utf8.decode(bytes) }

/** Bytes of uncompressed columns that are decoded at once, where the file has an index of its pages. */
const SLICE_BYTES = 16 << 20
const MAX_SLICE_ROWS = 20_000
const MAX_LONE_BYTES = 4 << 20
const MAX_GROUP_BYTES = 2 ** 30
const MAX_GROUP_ROWS = 2 ** 24
const MAX_FOOTER_BYTES = 256 << 20

/**
 * Streams the flat columns (texts, numbers, booleans; no lists, no structures) of a Parquet file with pages that are
 * plain or packed by snappy, gzip or zstd. Memory is bounded by a slice of a row group where the file has an offset
 * index, by a row group where it has none. A row group that cannot be read is a damage, and the next one is read.
 *
 * Decoded in the calling thread, whatever it takes: `readParquet` guards it. `from` is the first row group to decode.
 *
 * @throws SmolforgeError `damaged` where the footer, without which nothing can be found, is broken; errors of the disk.
 */
export async function* decodeParquet(path: string, from = 0): AsyncGenerator<ParquetPart | GroupBegins> {
  const handle = await open(path, 'r').catch((error) => {
    throw fileError(error, path)
  })
  try {
    const file = await asyncBuffer(handle, path)
    const metadata = await readFooter(file, path)
    const columns = flatColumns(metadata)
    let firstRow = 0
    for (const [number, group] of metadata.row_groups.entries()) {
      if (number >= from) {
        yield { group: number, ...extentOf(group, file.byteLength) }
        yield* readGroup({ file, metadata, columns, group, number, firstRow })
      }
      firstRow += Number(group.num_rows)
    }
  } catch (error) {
    throw fileError(error, path)
  } finally {
    await handle.close()
  }
}

/** The row groups of a file as its footer says: how many rows, and of how many bytes. */
async function readFooter(file: AsyncBuffer, path: string): Promise<FileMetaData> {
  const damaged = (reason: string, cause?: unknown) =>
    new SmolforgeError('damaged', `The Parquet file has no readable footer: ${reason}`, {
      place: { file: path, byte: 0 },
      hint: 'Make or fetch the file again: without its footer nothing in it can be found.',
      cause,
    })
  if (file.byteLength < 12) throw damaged(`it has ${file.byteLength} bytes`)
  const end = new DataView(await file.slice(file.byteLength - 8))
  const length = end.getUint32(0, true)
  if (end.getUint32(4, true) !== 0x31524150) throw damaged('it does not end in PAR1')
  if (length > Math.min(MAX_FOOTER_BYTES, file.byteLength - 12)) throw damaged(`one of ${length} bytes`)
  try {
    const metadata = await parquetMetadataAsync(file)
    parquetSchema(metadata)
    return metadata
  } catch (cause) {
    if (cause instanceof SmolforgeError) throw cause
    throw damaged(reasonOf(cause), cause)
  }
}

/** Columns at the top of the schema that hold one value a row. */
function flatColumns(metadata: FileMetaData): string[] {
  return parquetSchema(metadata)
    .children.filter(
      ({ children, element }) => children.length === 0 && element.repetition_type !== 'REPEATED',
    )
    .map(({ element }) => element.name)
}

interface GroupWork {
  file: AsyncBuffer
  metadata: FileMetaData
  columns: string[]
  group: RowGroup
  number: number
  firstRow: number
}

async function* readGroup(work: GroupWork): AsyncGenerator<ParquetPart> {
  const { file, metadata, columns, group, number, firstRow } = work
  const rows = Number(group.num_rows)
  const extent = extentOf(group, file.byteLength)
  const damage = (reason: string): ParquetPart => ({
    byteOffset: extent.start,
    bytesLost: extent.end - extent.start,
    reason: `row group ${number}: ${reason}`,
  })
  const chunks = group.columns.filter(({ meta_data }) =>
    columns.includes(meta_data?.path_in_schema?.[0] ?? ''),
  )
  const bytes = chunks.reduce(
    (sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0),
    0,
  )
  // Of a column of one page there is no index, and no need of one.
  const indexed = chunks.every(
    ({ offset_index_offset, meta_data }) =>
      offset_index_offset !== undefined || Number(meta_data?.total_uncompressed_size ?? 0) <= MAX_LONE_BYTES,
  )
  if (!(rows >= 0 && rows <= MAX_GROUP_ROWS)) return yield damage(`${rows} rows are more than the limit`)
  if (!indexed && bytes > MAX_GROUP_BYTES) {
    return yield damage(`${bytes} bytes without an index of pages are more than the limit`)
  }
  const share = Math.floor(SLICE_BYTES / Math.max(1, bytes / Math.max(1, rows)))
  const step = indexed ? Math.min(MAX_SLICE_ROWS, Math.max(1, share)) : Math.max(1, rows)
  for (let from = 0; from < rows; from += step) {
    const [rowStart, rowEnd] = [firstRow + from, firstRow + Math.min(rows, from + step)]
    let found: Record<string, unknown>[]
    try {
      found = await parquetReadObjects({
        file,
        metadata,
        columns,
        rowStart,
        rowEnd,
        compressors: unpackers,
        parsers,
      })
      if (found.length !== rowEnd - rowStart) throw new Error(`${found.length} of ${rowEnd - rowStart} rows`)
    } catch (error) {
      if (error instanceof SmolforgeError && error.code !== 'damaged') throw error
      // The rest of a group whose pages are in disorder is not worth guessing at.
      return yield damage(`rows ${rowStart} to ${firstRow + rows - 1} are lost: ${reasonOf(error)}`)
    }
    yield { rows: found, firstRow: rowStart }
  }
}

/** The range of the file that the columns of a row group take, as far as the footer can be believed. */
function extentOf(group: RowGroup, size: number): { start: number; end: number } {
  let [start, end] = [size, 0]
  for (const { meta_data } of group.columns) {
    if (meta_data === undefined) continue
    const offset = Number(meta_data.dictionary_page_offset || meta_data.data_page_offset)
    const past = offset + Number(meta_data.total_compressed_size)
    if (!(offset >= 0 && past >= offset)) continue
    start = Math.min(start, offset)
    end = Math.max(end, past)
  }
  start = Math.min(Math.max(0, start), size)
  return { start, end: Math.min(Math.max(start, end), size) }
}

async function asyncBuffer(handle: FileHandle, path: string): Promise<AsyncBuffer> {
  const { size } = await handle.stat()
  const read = async (start: number, end: number) => {
    if (!(start >= 0 && end >= start && end <= size)) {
      throw new SmolforgeError('damaged', `Bytes ${start} to ${end} lie outside the file`, {
        place: { file: path },
      })
    }
    const bytes = await readWhole(handle, start, end - start, path)
    const { buffer, byteOffset, byteLength } = bytes
    return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer
  }
  return {
    byteLength: size,
    slice: (start, end = size) => {
      const bytes = read(start, end)
      // hyparquet asks for more than it awaits once something is wrong, and a rejection that nobody awaits ends Node.
      bytes.catch(() => {})
      return bytes
    },
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).slice(0, 200)
