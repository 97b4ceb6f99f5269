import { isUtf8 } from 'node:buffer'
import { SmolforgeError } from '../errors.ts'

/** The types of GGUF's metadata, by the number that stands for each. */
export const valueTypes = [
  'UINT8',
  'INT8',
  'UINT16',
  'INT16',
  'UINT32',
  'INT32',
  'FLOAT32',
  'BOOL',
  'STRING',
  'ARRAY',
  'UINT64',
  'INT64',
  'FLOAT64',
] as const
export type ValueType = (typeof valueTypes)[number]

/** Bytes of a value of fixed size. */
const fixedBytes: Readonly<Partial<Record<ValueType, number>>> = {
  UINT8: 1,
  INT8: 1,
  UINT16: 2,
  INT16: 2,
  UINT32: 4,
  INT32: 4,
  FLOAT32: 4,
  BOOL: 1,
  UINT64: 8,
  INT64: 8,
  FLOAT64: 8,
}

/** Integers past 2^53 stay bigints. */
export type GgufScalar = number | bigint | boolean | string
export type GgufValue = GgufScalar | GgufArray

/** Arrays in arrays are walked over this deep; no known file has any. */
const MAX_DEPTH = 4

/** Thrown when the bytes end where the file goes on: more of it is to be read. */
export class NeedsMore extends Error {}

/** Reads the values of a GGUF header one after another; every length is held against the file before it is used. */
export class GgufReader {
  position = 0
  readonly bytes: Buffer
  readonly fileBytes: number
  readonly file: string

  /** `bytes` are the first of the `fileBytes` of the file. */
  constructor(bytes: Uint8Array, fileBytes: number, file: string) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.fileBytes = fileBytes
    this.file = file
  }

  damaged(message: string, byte = this.position): SmolforgeError {
    return new SmolforgeError('damaged', message, {
      place: { file: this.file, byte },
      hint: 'Not a whole GGUF file: fetch or save it again.',
    })
  }

  uint32(): number {
    return this.bytes.readUInt32LE(this.#advance(4))
  }

  uint64(): bigint {
    return this.bytes.readBigUInt64LE(this.#advance(8))
  }

  /** A number of things that take at least `leastBytes` each; more than the file can hold are refused. */
  count(leastBytes: number, what: string): number {
    const at = this.position
    const count = this.uint64()
    if (count * BigInt(leastBytes) > BigInt(this.fileBytes - this.position)) {
      throw this.damaged(`${count} ${what} are announced, the file has ${this.fileBytes} bytes`, at)
    }
    return Number(count)
  }

  string(what: string, maxBytes = Number.MAX_SAFE_INTEGER): string {
    const at = this.position
    const length = this.count(1, `bytes of ${what}`)
    if (length > maxBytes) throw this.damaged(`${what} is ${length} bytes long`, at)
    const start = this.#advance(length)
    const bytes = this.bytes.subarray(start, this.position)
    if (!isUtf8(bytes)) throw this.damaged(`${what} is no UTF-8`, start)
    return bytes.toString('utf8')
  }

  type(what: string): ValueType {
    const at = this.position
    const id = this.uint32()
    const type = valueTypes[id]
    if (type === undefined) throw this.damaged(`${what} has the unknown type ${id}`, at)
    return type
  }

  value(type: ValueType, what: string): GgufValue {
    if (type === 'STRING') return this.string(what)
    if (type === 'ARRAY') return this.#array(what)
    return this.#scalar(type, what)
  }

  #scalar(type: ValueType, what: string): number | bigint | boolean {
    const at = this.#advance(fixedBytes[type] ?? 0)
    const { bytes } = this
    switch (type) {
      case 'UINT8':
        return bytes.readUInt8(at)
      case 'INT8':
        return bytes.readInt8(at)
      case 'UINT16':
        return bytes.readUInt16LE(at)
      case 'INT16':
        return bytes.readInt16LE(at)
      case 'UINT32':
        return bytes.readUInt32LE(at)
      case 'INT32':
        return bytes.readInt32LE(at)
      case 'FLOAT32':
        return bytes.readFloatLE(at)
      case 'FLOAT64':
        return bytes.readDoubleLE(at)
      case 'BOOL':
        if (bytes[at] > 1) throw this.damaged(`${what} is neither true nor false`, at)
        return bytes[at] === 1
      default: {
        const wide = type === 'UINT64' ? bytes.readBigUInt64LE(at) : bytes.readBigInt64LE(at)
        return Number.isSafeInteger(Number(wide)) ? Number(wide) : wide
      }
    }
  }

  #array(what: string): GgufArray {
    const type = this.type(what)
    const length = this.count(leastBytes(type), `elements of ${what}`)
    const start = this.position
    this.#skip(type, length, what, 1)
    return new GgufArray(this, { type, length, start, end: this.position, what })
  }

  /** Walks over the elements of an array: nothing is made of them before somebody asks. */
  #skip(type: ValueType, length: number, what: string, depth: number): void {
    const width = fixedBytes[type]
    if (width !== undefined) {
      this.#advance(length * width)
    } else if (type === 'STRING') {
      this.#skipStrings(length, what)
    } else {
      if (depth === MAX_DEPTH) throw this.damaged(`${what} has arrays in arrays too deep`)
      for (let i = 0; i < length; i++) {
        const inner = this.type(what)
        this.#skip(inner, this.count(leastBytes(inner), `elements of ${what}`), what, depth + 1)
      }
    }
  }

  #skipStrings(length: number, what: string): void {
    const { bytes } = this
    let at = this.position
    for (let i = 0; i < length; i++) {
      if (at + 8 > bytes.length) this.#ends(at)
      const size = uint32At(bytes, at) + uint32At(bytes, at + 4) * 2 ** 32
      if (size > this.fileBytes - at - 8) {
        throw this.damaged(`Element ${i} of ${what} is ${size} bytes long, the file ends before`, at)
      }
      at += 8 + size
    }
    if (at > bytes.length) this.#ends(at)
    this.position = at
  }

  /** Where the next `length` bytes start. */
  #advance(length: number): number {
    const start = this.position
    if (length > this.bytes.length - start) this.#ends(start)
    this.position = start + length
    return start
  }

  #ends(at: number): never {
    if (this.bytes.length < this.fileBytes) throw new NeedsMore()
    throw this.damaged(
      `The file ends after ${this.fileBytes} bytes, inside its header`,
      Math.min(at, this.fileBytes),
    )
  }
}

/** An array of the metadata: known to lie in the file, decoded when it is asked for. */
export class GgufArray {
  readonly type: ValueType
  readonly length: number
  readonly #reader: GgufReader
  readonly #place: { start: number; end: number; what: string }

  constructor(
    reader: GgufReader,
    place: { type: ValueType; length: number; start: number; end: number; what: string },
  ) {
    this.#reader = reader
    this.#place = place
    this.type = place.type
    this.length = place.length
  }

  /** The texts; undefined for an array of something else. SmolforgeError `damaged` for one that is no UTF-8. */
  strings(): string[] | undefined {
    if (this.type !== 'STRING') return undefined
    const { bytes } = this.#reader
    const { start, end, what } = this.#place
    // Lengths below 128 are ASCII themselves, so that all of it is mostly decoded at once: many times faster.
    const all = isUtf8(bytes.subarray(start, end)) ? bytes.toString('utf8', start, end) : undefined
    const strings: string[] = []
    let at = start
    let character = 0
    for (let i = 0; i < this.length; i++) {
      const from = at + 8
      at = from + uint32At(bytes, at) + uint32At(bytes, at + 4) * 2 ** 32
      const first = all === undefined ? 0 : at - from < 128 ? character + 8 : afterBytes(all, character, 8)
      character = all === undefined ? 0 : afterBytes(all, first, at - from)
      if (all !== undefined && character >= 0) {
        strings.push(all.slice(first, character))
      } else {
        if (!isUtf8(bytes.subarray(from, at))) {
          throw this.#reader.damaged(`Element ${i} of ${what} is no UTF-8`, from)
        }
        strings.push(bytes.toString('utf8', from, at))
      }
    }
    return strings
  }

  /** The numbers; undefined for an array of something else. */
  numbers(): Float64Array | undefined {
    const view = numberViews[this.type]
    if (view === undefined) return undefined
    const { start, end } = this.#place
    const copy = this.#reader.bytes.buffer.slice(
      this.#reader.bytes.byteOffset + start,
      this.#reader.bytes.byteOffset + end,
    )
    return Float64Array.from(view(copy), Number)
  }
}

type Numbers = ArrayLike<number> | ArrayLike<bigint>

/** GGUF is little-endian, as are all machines that we build for. */
const numberViews: Readonly<Partial<Record<ValueType, (bytes: ArrayBufferLike) => Numbers>>> = {
  UINT8: (bytes) => new Uint8Array(bytes),
  INT8: (bytes) => new Int8Array(bytes),
  UINT16: (bytes) => new Uint16Array(bytes),
  INT16: (bytes) => new Int16Array(bytes),
  UINT32: (bytes) => new Uint32Array(bytes),
  INT32: (bytes) => new Int32Array(bytes),
  FLOAT32: (bytes) => new Float32Array(bytes),
  UINT64: (bytes) => new BigUint64Array(bytes),
  INT64: (bytes) => new BigInt64Array(bytes),
  FLOAT64: (bytes) => new Float64Array(bytes),
}

function leastBytes(type: ValueType): number {
  return fixedBytes[type] ?? (type === 'STRING' ? 8 : 12)
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

/** The index in a text `count` bytes of UTF-8 after the index `at`; -1 where that is inside a character. */
function afterBytes(text: string, at: number, count: number): number {
  let left = count
  let index = at
  while (left > 0) {
    const code = text.charCodeAt(index++)
    // The halves of a surrogate pair take 4 bytes together.
    left -= code < 0x80 ? 1 : code < 0x800 || (code & 0xf800) === 0xd800 ? 2 : 3
  }
  return left === 0 ? index : -1
}
