import { SmolforgeError } from '../errors.ts'
import { formatOfId, type GgufFormat, ggufFormats } from './ggufFormats.ts'
import { GgufReader, type GgufValue, NeedsMore } from './ggufReader.ts'

/** Where one tensor lies in its file; `start` and `end` are byte positions in the file. */
export interface GgufTensor {
  name: string
  format: GgufFormat
  /** As Hugging Face has it, [out, in]: the reverse of the file's order. */
  shape: number[]
  start: number
  end: number
}

export interface GgufHeader {
  version: number
  metadata: ReadonlyMap<string, GgufValue>
  /** In the order of the data. */
  tensors: GgufTensor[]
  /** Bytes of the header itself. */
  headerBytes: number
}

/** GGUF's own limits (github.com/ggml-org/ggml, docs/gguf.md; ggml.h: GGML_MAX_DIMS). */
const MAX_KEY_BYTES = 65_535
const MAX_NAME_BYTES = 255
const MAX_DIMENSIONS = 4
const DEFAULT_ALIGNMENT = 32
const MAX_ALIGNMENT = 1 << 24

/**
 * Reads a GGUF header of version 2 or 3 from the first bytes of a file of `fileBytes` bytes and checks its layout:
 * counts and lengths against the file, names and keys unique, every tensor in whole blocks, inside the file and
 * overlapping no other.
 *
 * @returns undefined when `bytes` end before the header does and the file goes on.
 * @throws SmolforgeError `damaged` or `input` naming file and byte.
 */
export function parseGgufHeader(bytes: Uint8Array, fileBytes: number, file: string): GgufHeader | undefined {
  try {
    return readHeader(new GgufReader(bytes, fileBytes, file))
  } catch (error) {
    if (error instanceof NeedsMore) return undefined
    throw error
  }
}

function readHeader(reader: GgufReader): GgufHeader {
  const version = readVersion(reader)
  // A tensor takes at least its name's length, dimensions, format and offset; an entry its key's length, type, value.
  const tensorCount = reader.count(8 + 4 + 8 + 4 + 8, 'tensors')
  const entryCount = reader.count(8 + 4 + 1, 'entries of metadata')
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < entryCount; i++) {
    const at = reader.position
    const key = reader.string(`the key of entry ${i}`, MAX_KEY_BYTES)
    if (metadata.has(key)) throw reader.damaged(`The key ${show(key)} is there twice`, at)
    metadata.set(key, reader.value(reader.type(show(key)), show(key)))
  }
  const alignment = readAlignment(reader, metadata)
  const relative: GgufTensor[] = []
  const names = new Set<string>()
  for (let i = 0; i < tensorCount; i++) {
    const at = reader.position
    const tensor = readTensor(reader, i, alignment)
    if (names.has(tensor.name)) throw reader.damaged(`The tensor ${show(tensor.name)} is there twice`, at)
    names.add(tensor.name)
    relative.push(tensor)
  }
  const dataStart = Math.ceil(reader.position / alignment) * alignment
  const tensors = relative
    .map((tensor) => ({ ...tensor, start: tensor.start + dataStart, end: tensor.end + dataStart }))
    .sort((a, b) => a.start - b.start || a.end - b.end)
  checkLayout(reader, tensors, dataStart)
  return { version, metadata, tensors, headerBytes: reader.position }
}

function readVersion(reader: GgufReader): number {
  const magic = reader.bytes.toString('latin1', 0, 4)
  if (magic !== 'GGUF') {
    throw new SmolforgeError('input', `Not a GGUF file: it begins with ${show(magic)}`, {
      place: { file: reader.file, byte: 0 },
    })
  }
  reader.uint32()
  const version = reader.uint32()
  if (version === 2 || version === 3) return version
  const swapped = version !== 0 && version % 0x10000 === 0
  throw new SmolforgeError(
    'input',
    swapped ? 'The GGUF file is big-endian' : `The GGUF file has version ${version}, 2 and 3 can be read`,
    { place: { file: reader.file, byte: 4 }, hint: 'Convert it again with a current llama.cpp.' },
  )
}

function readAlignment(reader: GgufReader, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT
  if (typeof alignment === 'number' && alignment >= 1 && alignment <= MAX_ALIGNMENT) {
    if (Number.isInteger(Math.log2(alignment))) return alignment
  }
  throw reader.damaged(`general.alignment ${String(alignment)} is no power of two`)
}

/** One tensor's entry; `start` and `end` are still relative to the start of the data. */
function readTensor(reader: GgufReader, index: number, alignment: number): GgufTensor {
  const at = reader.position
  const name = reader.string(`the name of tensor ${index}`, MAX_NAME_BYTES)
  const dimensions = reader.uint32()
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    throw reader.damaged(`The tensor ${show(name)} has ${dimensions} dimensions`, at)
  }
  const lengths = Array.from({ length: dimensions }, () => Number(reader.uint64()))
  const found = formatOfId(reader.uint32())
  if ('unreadable' in found) {
    throw new SmolforgeError('input', `The tensor ${show(name)} is in ${found.unreadable}`, {
      place: { file: reader.file, byte: at },
      hint: `Formats that can be read: ${Object.keys(ggufFormats).join(', ')}.`,
    })
  }
  const { elements, bytes } = ggufFormats[found.format]
  const size = lengths.reduce((product, length) => product * length, 1)
  if (lengths.some((length) => length < 1) || !(size <= reader.fileBytes * elements)) {
    throw reader.damaged(`The tensor ${show(name)} of [${lengths}] has no size that the file can hold`, at)
  }
  if (lengths[0] % elements !== 0) {
    throw reader.damaged(
      `The rows of ${lengths[0]} in ${show(name)} are no whole blocks of ${elements}, as ${found.format} needs`,
      at,
    )
  }
  const start = Number(reader.uint64())
  if (start % alignment !== 0) {
    throw reader.damaged(`The tensor ${show(name)} starts at ${start}, no multiple of ${alignment}`, at)
  }
  return {
    name,
    format: found.format,
    shape: lengths.reverse(),
    start,
    end: start + (size / elements) * bytes,
  }
}

function checkLayout(reader: GgufReader, tensors: readonly GgufTensor[], dataStart: number): void {
  let position = dataStart
  for (const { name, start, end } of tensors) {
    if (start < position) throw reader.damaged(`The tensor ${show(name)} overlaps the one before it`, start)
    if (end > reader.fileBytes) {
      const missing = end - reader.fileBytes
      throw reader.damaged(
        `The file ends before or in the tensor ${show(name)}, ${missing} bytes are missing`,
        reader.fileBytes,
      )
    }
    position = end
  }
}

/** A name from a file as it may stand in a message. */
function show(name: string): string {
  const short = name.length > 60 ? `${name.slice(0, 57)}...` : name
  return /^[\w.|<>-]+$/.test(short) ? short : JSON.stringify(short)
}
