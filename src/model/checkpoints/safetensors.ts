import { type FileHandle, open } from 'node:fs/promises'
import { fileError, SmolforgeError } from '../../errors.ts'
import { writeChunksAtomic } from '../../files/atomic.ts'
import { readWhole } from '../../files/positioned.ts'
import { type FloatType, narrow, widen } from './floats.ts'
import { headerLength, parseHeader, type SafetensorsHeader, type TensorEntry } from './safetensorsHeader.ts'

/** One tensor to be written; `read` is called once, when its turn comes, so that only one is in memory. */
export interface WritableTensor {
  name: string
  shape: readonly number[]
  read(): Float32Array
}

/**
 * Writes tensors to one safetensors file (github.com/huggingface/safetensors), sorted by name, f32, bf16 or f16;
 * whole or not at all: temporary name, fsync, rename.
 *
 * @returns the file's size and SHA-256, taken on the way.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<WritableTensor>,
  options: { dtype?: FloatType; metadata?: Record<string, string> } = {},
): Promise<{ bytes: number; sha256: string }> {
  const dtype = options.dtype ?? 'F32'
  const sorted = [...tensors].sort(byName)
  return writeChunksAtomic(path, async (write) => {
    await write(headerBytes(sorted, dtype, options.metadata))
    for (const tensor of sorted) await write(narrow(tensor.read(), dtype))
  })
}

/** An open safetensors file: its checked header, and its tensors one at a time as f32. */
export interface SafetensorsFile {
  readonly path: string
  readonly header: SafetensorsHeader
  /** The tensor's numbers as f32 (from F32, BF16 or F16). */
  read(name: string): Promise<Float32Array>
  /** The tensor's bytes as they are stored. */
  readBytes(entry: TensorEntry): Promise<Uint8Array>
  /** The tensor's type where it is a float that can be read; SmolforgeError `input` where it is not. */
  floatType(entry: TensorEntry): FloatType
  close(): Promise<void>
}

/**
 * Opens a safetensors file and checks its header before anything of its size is allocated.
 *
 * @throws SmolforgeError `damaged` or `input` naming file and byte.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    throw fileError(error, path)
  }
  try {
    const fileBytes = (await handle.stat()).size
    const prefix = await readWhole(handle, 0, Math.min(8, fileBytes), path)
    const length = headerLength(prefix, fileBytes, path)
    const header = parseHeader(await readWhole(handle, 8, length, path), fileBytes, path)
    const byTensor = new Map(header.entries.map((entry) => [entry.name, entry]))
    return {
      path,
      header,
      readBytes: (entry) => readWhole(handle, entry.start, entry.end - entry.start, path),
      async read(name) {
        const entry = byTensor.get(name)
        if (!entry) throw new SmolforgeError('input', `There is no tensor ${name}`, { place: { file: path } })
        const type = floatType(entry, path)
        return widen(await readWhole(handle, entry.start, entry.end - entry.start, path), type)
      },
      floatType: (entry) => floatType(entry, path),
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw fileError(error, path)
  }
}

/** Sorts by name as code units, the order in which files are written and hashes are taken. */
export function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

function headerBytes(
  tensors: readonly WritableTensor[],
  dtype: FloatType,
  metadata: Record<string, string> = { format: 'pt' },
): Uint8Array {
  const table: Record<string, unknown> = { __metadata__: metadata }
  let position = 0
  for (const { name, shape } of tensors) {
    const end = position + shape.reduce((product, length) => product * length, dtype === 'F32' ? 4 : 2)
    table[name] = { dtype, shape, data_offsets: [position, end] }
    position = end
  }
  const json = Buffer.from(JSON.stringify(table))
  // Padded with spaces so that the data starts at a multiple of 8, which readers that map the file want.
  const length = Math.ceil(json.byteLength / 8) * 8
  const bytes = Buffer.alloc(8 + length, 0x20)
  bytes.writeBigUInt64LE(BigInt(length), 0)
  json.copy(bytes, 8)
  return bytes
}

function floatType(entry: TensorEntry, file: string): FloatType {
  if (entry.dtype === 'F32' || entry.dtype === 'BF16' || entry.dtype === 'F16') return entry.dtype
  throw new SmolforgeError(
    'input',
    `The tensor ${entry.name} is ${entry.dtype}: F32, BF16 and F16 can be read`,
    {
      place: { file, byte: entry.start },
    },
  )
}
