import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'

/** Bytes of one element of every type that the format knows; we read and write the floats among them. */
export const elementBytes: Readonly<Record<string, number>> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  BOOL: 1,
}

/** Where one tensor lies in its file; `start` and `end` are byte positions in the file. */
export interface TensorEntry {
  name: string
  dtype: string
  shape: number[]
  start: number
  end: number
}

export interface SafetensorsHeader {
  metadata: Record<string, string>
  /** In the order of the data. */
  entries: TensorEntry[]
}

/** The format's own limit; a longer header is a damaged length, not a model. */
const MAX_HEADER_BYTES = 100_000_000

const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.number().int().nonnegative()),
  data_offsets: z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()]),
})
const headerSchema = z.record(z.string(), z.unknown())
const metadataSchema = z.record(z.string(), z.string())

/**
 * The header's length from the first 8 bytes of a file of `fileBytes` bytes, checked before anything is allocated.
 *
 * @throws SmolforgeError `damaged` naming file and byte.
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (fileBytes < 8 || prefix.byteLength < 8) {
    throw damaged(file, fileBytes, `The file ends after ${fileBytes} bytes, before its header`)
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw damaged(file, 0, `A header of ${length} bytes is announced, at most ${MAX_HEADER_BYTES} can be`)
  }
  if (8 + Number(length) > fileBytes) {
    throw damaged(
      file,
      fileBytes,
      `The file has ${fileBytes} bytes, its header alone needs ${8 + Number(length)}`,
    )
  }
  return Number(length)
}

/**
 * Reads the header's JSON and checks the layout: every tensor inside the file, as long as its shape says, none
 * overlapping another, no gap.
 *
 * @throws SmolforgeError `damaged` or `input` naming file, tensor and byte.
 */
export function parseHeader(header: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header))
  } catch {
    throw damaged(file, 8, 'The header is no JSON')
  }
  const table = headerSchema.safeParse(json)
  if (!table.success) throw damaged(file, 8, 'The header is no table of tensors')
  const dataStart = 8 + header.byteLength
  const metadata = metadataSchema.safeParse(table.data.__metadata__ ?? {})
  if (!metadata.success) throw damaged(file, 8, 'The header carries metadata that is no text')

  const entries = Object.entries(table.data)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => readEntry(name, value, dataStart, fileBytes, file))
    .sort((a, b) => a.start - b.start || a.end - b.end)

  let position = dataStart
  for (const entry of entries) {
    if (entry.start < position) {
      throw damaged(file, entry.start, `The tensor ${show(entry.name)} overlaps the one before it`)
    }
    if (entry.start > position) {
      throw damaged(
        file,
        position,
        `${entry.start - position} bytes before ${show(entry.name)} belong to no tensor`,
      )
    }
    position = entry.end
  }
  if (position !== fileBytes) {
    throw damaged(file, position, `${fileBytes - position} bytes at the end belong to no tensor`)
  }
  return { metadata: metadata.data, entries }
}

function readEntry(
  name: string,
  value: unknown,
  dataStart: number,
  fileBytes: number,
  file: string,
): TensorEntry {
  const parsed = entrySchema.safeParse(value)
  if (!parsed.success) {
    throw damaged(file, 8, `The header's entry of ${show(name)} is not {dtype, shape, data_offsets}`)
  }
  const { dtype, shape, data_offsets } = parsed.data
  const width = elementBytes[dtype]
  if (width === undefined) {
    throw new SmolforgeError('input', `The tensor ${show(name)} has the unknown type ${show(dtype)}`, {
      place: { file, byte: 8 },
    })
  }
  const [start, end] = [dataStart + data_offsets[0], dataStart + data_offsets[1]]
  const bytes = shape.reduce((product, length) => product * length, width)
  if (end < start || end - start !== bytes) {
    throw damaged(
      file,
      8,
      `The tensor ${show(name)} of ${dtype} [${show(`${shape}`)}] needs ${bytes} bytes, the header gives ${end - start}`,
    )
  }
  if (end > fileBytes) {
    throw damaged(
      file,
      fileBytes,
      `The file ends inside the tensor ${show(name)}, ${end - fileBytes} bytes are missing`,
    )
  }
  return { name, dtype, shape, start, end }
}

/** A name from a file as it may stand in a message. */
function show(name: string): string {
  const short = name.length > 60 ? `${name.slice(0, 57)}...` : name
  return /^[\w.,|<>-]*$/.test(short) ? short : JSON.stringify(short)
}

function damaged(file: string, byte: number, message: string): SmolforgeError {
  return new SmolforgeError('damaged', message, {
    place: { file, byte },
    hint: 'Not a whole safetensors file: fetch or save it again.',
  })
}
