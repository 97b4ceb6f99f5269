import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'
import { type GgufHeader, parseGgufHeader } from './ggufHeader.ts'
import type { GgufArray, GgufScalar, GgufValue } from './ggufReader.ts'
import { readWhole } from './positioned.ts'

/** An open GGUF file: its checked header, and its bytes. */
export interface GgufFile extends GgufHeader {
  readonly path: string
  /** The bytes from `start` to `end`, which lie in the file. */
  readBytes(place: { start: number; end: number }): Promise<Uint8Array>
  close(): Promise<void>
}

/** Enough for the header of a model with 49,152 tokens. */
const FIRST_BYTES = 2 << 20

/**
 * Opens a GGUF file (github.com/ggml-org/ggml, docs/gguf.md) and checks its header; tensors are read when asked for.
 *
 * @throws SmolforgeError `damaged` or `input` naming file and byte.
 */
export async function openGguf(path: string): Promise<GgufFile> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    throw fileError(error, path)
  }
  try {
    const fileBytes = (await handle.stat()).size
    for (let read = FIRST_BYTES; ; read *= 4) {
      const bytes = await readWhole(handle, 0, Math.min(read, fileBytes), path)
      const header = parseGgufHeader(bytes, fileBytes, path)
      if (header === undefined) continue
      return {
        ...header,
        path,
        readBytes: ({ start, end }) => readWhole(handle, start, end - start, path),
        close: () => handle.close(),
      }
    }
  } catch (error) {
    await handle.close()
    throw fileError(error, path)
  }
}

/** The GGUF file of a folder that holds one; SmolforgeError `input` where it holds several. */
export async function ggufInFolder(folder: string): Promise<string | undefined> {
  let names: string[]
  try {
    names = (await readdir(folder)).filter(isGgufName).sort()
  } catch (error) {
    throw fileError(error, folder)
  }
  if (names.length > 1) {
    throw new SmolforgeError(
      'input',
      `The folder holds several GGUF files: ${names.slice(0, 4).join(', ')}`,
      {
        place: { file: folder },
        hint: 'Name one of the files.',
      },
    )
  }
  return names.length === 0 ? undefined : join(folder, names[0])
}

export function isGgufName(path: string): boolean {
  return path.toLowerCase().endsWith('.gguf')
}

/** The metadata of a file as its reader wants it: by key and kind, or a refusal that names both. */
export class GgufMetadata {
  readonly file: string
  readonly #values: ReadonlyMap<string, GgufValue>

  constructor({ path, metadata }: GgufFile) {
    this.file = path
    this.#values = metadata
  }

  has(key: string): boolean {
    return this.#values.has(key)
  }

  number(key: string): number | undefined {
    return this.#scalar(key, 'number')
  }

  text(key: string): string | undefined {
    return this.#scalar(key, 'string')
  }

  boolean(key: string): boolean | undefined {
    return this.#scalar(key, 'boolean')
  }

  texts(key: string): string[] | undefined {
    return this.#array(key, (array) => array.strings(), 'texts')
  }

  numbers(key: string): Float64Array | undefined {
    return this.#array(key, (array) => array.numbers(), 'numbers')
  }

  refusal(key: string, message: string, hint?: string): SmolforgeError {
    return new SmolforgeError('input', message, { place: { file: this.file, field: key }, hint })
  }

  #scalar<Kind extends 'number' | 'string' | 'boolean'>(key: string, kind: Kind): Kinds[Kind] | undefined {
    const value: GgufScalar | GgufArray | undefined = this.#values.get(key)
    if (value === undefined) return undefined
    if (typeof value === kind) return value as Kinds[Kind]
    throw this.refusal(key, `${key} is no ${kind === 'string' ? 'text' : kind}`)
  }

  #array<Elements>(
    key: string,
    decode: (array: GgufArray) => Elements | undefined,
    kind: string,
  ): Elements | undefined {
    const value = this.#values.get(key)
    if (value === undefined) return undefined
    const elements = typeof value === 'object' ? decode(value) : undefined
    if (elements === undefined) throw this.refusal(key, `${key} is no list of ${kind}`)
    return elements
  }
}

interface Kinds {
  number: number
  string: string
  boolean: boolean
}
