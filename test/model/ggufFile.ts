/** GGUF files written by hand, value by value, so that one of them can be wrong. */
export const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
export const uint64 = (value: number | bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
export const text = (value: string) => Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)])

/** An entry of the metadata: its key, the number of its type, its bytes. */
export const entry = (key: string, type: number, value: Uint8Array) =>
  Buffer.concat([text(key), uint32(type), value])

/** The description of a tensor; lengths in the file's order. */
export const tensor = (name: string, lengths: (number | bigint)[], format: number, offset: number | bigint) =>
  Buffer.concat([text(name), uint32(lengths.length), ...lengths.map(uint64), uint32(format), uint64(offset)])

interface Parts {
  magic?: string
  version?: Buffer
  tensorCount?: number | bigint
  entryCount?: number | bigint
  entries?: Buffer[]
  tensors?: Buffer[]
  dataBytes?: number
}

export function ggufFile({
  magic = 'GGUF',
  version = uint32(3),
  entries = [],
  tensors = [],
  tensorCount = tensors.length,
  entryCount = entries.length,
  dataBytes = 0,
}: Parts): Buffer {
  const head = [Buffer.from(magic), version, uint64(tensorCount), uint64(entryCount), ...entries, ...tensors]
  const header = Buffer.concat(head)
  return Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), Buffer.alloc(dataBytes)])
}
