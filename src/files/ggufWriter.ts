import { writeChunksAtomic } from './atomic.ts'
import { type GgufFormat, ggufFormats } from './ggufFormats.ts'
import { type ValueType, valueTypes } from './ggufReader.ts'

/** A value of the metadata with the type that it is stored in. */
export type WritableValue =
  | { type: 'UINT32' | 'FLOAT32'; value: number }
  | { type: 'BOOL'; value: boolean }
  | { type: 'STRING'; value: string }
  | { type: 'STRINGS'; value: readonly string[] }
  | { type: 'INT32S'; value: readonly number[] }

/** One tensor to be written; `read` gives its bytes, once, when its turn comes, so that only one is in memory. */
export interface WritableGgufTensor {
  name: string
  format: GgufFormat
  /** [out, in], as Hugging Face has it; rows are whole blocks. */
  shape: readonly number[]
  read(): Uint8Array
}

const ALIGNMENT = 32

/**
 * Writes a GGUF file of version 3 (github.com/ggml-org/ggml, docs/gguf.md); whole or not at all: temporary name,
 * fsync, rename.
 *
 * @returns the file's size and SHA-256, taken on the way.
 */
export async function writeGguf(
  path: string,
  metadata: ReadonlyMap<string, WritableValue>,
  tensors: readonly WritableGgufTensor[],
): Promise<{ bytes: number; sha256: string }> {
  return writeChunksAtomic(path, async (write) => {
    let bytes = 0
    const put = async (chunk: Uint8Array) => {
      bytes += chunk.byteLength
      await write(chunk)
    }
    await put(header(metadata, tensors))
    for (const tensor of tensors) {
      await put(tensor.read())
      await put(Buffer.alloc(aligned(bytes) - bytes))
    }
  })
}

function header(
  metadata: ReadonlyMap<string, WritableValue>,
  tensors: readonly WritableGgufTensor[],
): Uint8Array {
  const parts: Buffer[] = [Buffer.from('GGUF'), uint32(3), uint64(tensors.length), uint64(metadata.size)]
  for (const [key, value] of metadata) parts.push(string(key), ...typed(value))
  let offset = 0
  for (const { name, format, shape } of tensors) {
    const lengths = [...shape].reverse().map(uint64)
    parts.push(string(name), uint32(shape.length), ...lengths, uint32(ggufFormats[format].id), uint64(offset))
    offset = aligned(offset + storedBytes(format, shape))
  }
  const whole = Buffer.concat(parts)
  return Buffer.concat([whole, Buffer.alloc(aligned(whole.length) - whole.length)])
}

/** Bytes of a tensor in a format. */
function storedBytes(format: GgufFormat, shape: readonly number[]): number {
  const { elements, bytes } = ggufFormats[format]
  return (shape.reduce((product, length) => product * length, 1) / elements) * bytes
}

function typed(entry: WritableValue): Buffer[] {
  switch (entry.type) {
    case 'UINT32':
      return [typeId('UINT32'), uint32(entry.value)]
    case 'FLOAT32': {
      const bytes = Buffer.alloc(4)
      bytes.writeFloatLE(entry.value)
      return [typeId('FLOAT32'), bytes]
    }
    case 'BOOL':
      return [typeId('BOOL'), Buffer.of(entry.value ? 1 : 0)]
    case 'STRING':
      return [typeId('STRING'), string(entry.value)]
    case 'STRINGS':
      return [typeId('ARRAY'), typeId('STRING'), uint64(entry.value.length), ...entry.value.map(string)]
    case 'INT32S': {
      const { buffer } = Int32Array.from(entry.value)
      return [typeId('ARRAY'), typeId('INT32'), uint64(entry.value.length), Buffer.from(buffer)]
    }
  }
}

function typeId(type: ValueType): Buffer {
  return uint32(valueTypes.indexOf(type))
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([uint64(bytes.length), bytes])
}

function aligned(position: number): number {
  return Math.ceil(position / ALIGNMENT) * ALIGNMENT
}
