import { ggufFormats } from '../../src/files/ggufFormats.ts'
import { type ValueType, valueTypes } from '../../src/files/ggufReader.ts'

/** Small whole safetensors files, from which the fuzzer goes. */
export function safetensorsSeeds(): Uint8Array[] {
  const file = (table: Record<string, unknown>, dataBytes: number) => {
    const json = Buffer.from(JSON.stringify(table))
    return Buffer.concat([uint64(json.byteLength), json, Buffer.alloc(dataBytes, 7)])
  }
  const entry = (dtype: string, shape: number[], start: number, end: number) => ({
    dtype,
    shape,
    data_offsets: [start, end],
  })
  return [
    file({}, 0),
    file({ w: entry('F32', [2, 3], 0, 24) }, 24),
    file(
      {
        __metadata__: { format: 'pt' },
        'model.embed_tokens.weight': entry('BF16', [4, 2], 0, 16),
        'model.norm.weight': entry('F16', [2], 16, 20),
        'é"\\': entry('I64', [], 20, 28),
        empty: entry('U8', [0, 9], 28, 28),
      },
      28,
    ),
  ]
}

/** Small whole GGUF files: every type of value, arrays, an alignment, versions 2 and 3, every format of tensors. */
export function ggufSeeds(): Uint8Array[] {
  const everything = Object.entries(ggufFormats).map(([format, { elements }]) => ({
    name: `blk.0.${format}`,
    format: format as keyof typeof ggufFormats,
    lengths: [elements, 2],
  }))
  const metadata: Entry[] = [
    ['general.architecture', 'STRING', string('llama')],
    ['general.alignment', 'UINT32', uint32(64)],
    ['tokenizer.ggml.tokens', 'ARRAY', array('STRING', ['a', 'é', '<|im_end|>', ''].map(string))],
    ['tokenizer.ggml.token_type', 'ARRAY', array('INT32', [1, 1, 3, 1].map(uint32))],
    ['nested', 'ARRAY', array('ARRAY', [array('UINT8', [Buffer.of(1), Buffer.of(2)])])],
    ...valueTypes
      .filter((type) => type !== 'STRING' && type !== 'ARRAY')
      .map(
        (type): Entry => [
          `value.${type}`,
          type,
          Buffer.alloc(8, type === 'BOOL' ? 1 : 65).subarray(0, widths[type]),
        ],
      ),
  ]
  return [
    gguf(3, [], []),
    gguf(
      2,
      [['general.architecture', 'STRING', string('llama')]],
      [{ name: 'w', format: 'F32', lengths: [3] }],
    ),
    gguf(3, metadata, everything, 64),
  ]
}

type Entry = [key: string, type: ValueType, value: Buffer]

const widths: Readonly<Partial<Record<ValueType, number>>> = {
  UINT8: 1,
  INT8: 1,
  BOOL: 1,
  UINT16: 2,
  INT16: 2,
  UINT32: 4,
  INT32: 4,
  FLOAT32: 4,
}

function gguf(
  version: number,
  metadata: readonly Entry[],
  tensors: readonly { name: string; format: keyof typeof ggufFormats; lengths: number[] }[],
  alignment = 32,
): Uint8Array {
  const padded = (bytes: Buffer) =>
    Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.byteLength % alignment)) % alignment)])
  let position = 0
  const infos: Buffer[] = []
  const data: Buffer[] = []
  for (const { name, format, lengths } of tensors) {
    const { id, elements, bytes } = ggufFormats[format]
    infos.push(string(name), uint32(lengths.length), ...lengths.map(uint64), uint32(id), uint64(position))
    const size = (lengths.reduce((product, length) => product * length, 1) / elements) * bytes
    data.push(padded(Buffer.alloc(size, 7)))
    position += data[data.length - 1].byteLength
  }
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    uint32(version),
    uint64(tensors.length),
    uint64(metadata.length),
    ...metadata.flatMap(([key, type, value]) => [string(key), uint32(valueTypes.indexOf(type)), value]),
    ...infos,
  ])
  return Buffer.concat([padded(header), ...data])
}

function array(type: ValueType, elements: readonly Buffer[]): Buffer {
  return Buffer.concat([uint32(valueTypes.indexOf(type)), uint64(elements.length), ...elements])
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([uint64(bytes.byteLength), bytes])
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
