import type { FileHandle } from 'node:fs/promises'
import type { SchemaElement } from 'hyparquet'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { writeWhole } from '../../files/positioned.ts'
import type { Document } from '../document.ts'
import type { DocumentSink } from '../sink.ts'
import { type ParquetCodec, packers } from './codecs.ts'

/** A row group is written when its texts come to this many characters. */
const GROUP_CHARACTERS = 32 << 20
const GROUP_ROWS = 50_000

/** The columns of our Parquet files. `scores` and `meta` are JSON: their keys differ from document to document. */
export const documentColumns = [
  { name: 'id', type: 'string', nullable: false },
  { name: 'text', type: 'string', nullable: false },
  { name: 'source', type: 'string', nullable: false },
  { name: 'licence', type: 'string', nullable: false },
  { name: 'url', type: 'string', nullable: true },
  { name: 'language', type: 'string', nullable: true },
  { name: 'scores', type: 'string', nullable: false },
  { name: 'meta', type: 'string', nullable: false },
] as const

const schema: SchemaElement[] = [
  { name: 'root', num_children: documentColumns.length },
  ...documentColumns.map(
    ({ name, nullable }): SchemaElement => ({
      name,
      type: 'BYTE_ARRAY',
      converted_type: 'UTF8',
      repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED',
    }),
  ),
]

/** Writes documents as one Parquet file, a row group at a time; memory is bounded by a row group. */
export function parquetSink(handle: FileHandle, codec: ParquetCodec = 'zstd'): DocumentSink {
  const buffer = new ByteWriter()
  const writer = new ParquetWriter({
    writer: buffer,
    schema,
    codec: codec.toUpperCase() as Uppercase<ParquetCodec>,
    compressors: packers,
    createdBy: 'smolforge',
  })
  let waiting: Document[] = []
  let characters = 0
  const drain = async () => {
    await writeWhole(handle, buffer.getBytes())
    buffer.index = 0
  }
  const writeGroup = async () => {
    if (waiting.length === 0) return
    const columnData = documentColumns.map(({ name }) => ({
      name,
      data: waiting.map((document) => cell(document, name)),
    }))
    await writer.write({ columnData, rowGroupSize: waiting.length })
    waiting = []
    characters = 0
    await drain()
  }
  return {
    async add(document) {
      waiting.push(document)
      characters += document.text.length
      if (characters >= GROUP_CHARACTERS || waiting.length >= GROUP_ROWS) await writeGroup()
    },
    async end() {
      await writeGroup()
      await writer.finish()
      await drain()
    },
  }
}

function cell(document: Document, name: (typeof documentColumns)[number]['name']): string | undefined {
  const value = document[name]
  return typeof value === 'object' ? JSON.stringify(value) : value
}
