import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SmolforgeError } from '../../src/errors.ts'
import { GgufMetadata, openGguf } from '../../src/files/gguf.ts'
import { entry, ggufFile, tensor, text, uint32, uint64 } from './ggufFile.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gguf-reader-'))
})
afterEach(() => rm(folder, { recursive: true }))

const [F32, F16, Q8_0] = [0, 1, 8]
const [UINT32, BOOL, STRING, ARRAY] = [4, 7, 8, 9]

async function opened(bytes: Uint8Array) {
  const path = join(folder, 'file.gguf')
  await writeFile(path, bytes)
  return openGguf(path)
}

async function refusal(bytes: Uint8Array): Promise<SmolforgeError> {
  const error = await opened(bytes).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(SmolforgeError)
  expect((error as SmolforgeError).place.file).toBe(join(folder, 'file.gguf'))
  expect((error as SmolforgeError).place.byte).toBeTypeOf('number')
  return error as SmolforgeError
}

describe('a GGUF file is read as it was written', () => {
  it('tensors with their place and Hugging Face order, past gaps and out of order', async () => {
    const file = await opened(
      ggufFile({
        tensors: [tensor('b', [64, 3], Q8_0, 64), tensor('a', [5], F32, 0)],
        dataBytes: 64 + 3 * 2 * 34,
      }),
    )
    const [a, b] = file.tensors
    expect(a).toMatchObject({ name: 'a', format: 'F32', shape: [5] })
    expect(a.end - a.start).toBe(20)
    expect(b).toMatchObject({ name: 'b', format: 'Q8_0', shape: [3, 64], start: a.start + 64 })
    expect(b.end - b.start).toBe(204)
    await file.close()
  })

  it('texts of any length and script, also where lengths are no ASCII', async () => {
    const texts = ['', 'Ġthe', 'é'.repeat(100), '𝕏 sea', 'x'.repeat(0xc3), '中文', 'a'.repeat(40_000)]
    const list = Buffer.concat([uint32(STRING), uint64(texts.length), ...texts.map(text)])
    const file = await opened(ggufFile({ entries: [entry('list', ARRAY, list)] }))
    expect(new GgufMetadata(file).texts('list')).toEqual(texts)
    await file.close()
  })

  it('a header longer than the first look at the file', async () => {
    const long = 'x'.repeat(5 << 20)
    const file = await opened(
      ggufFile({
        entries: [entry('long', STRING, text(long)), entry('after', UINT32, uint32(7))],
        tensors: [tensor('w', [2], F16, 0)],
        dataBytes: 4,
      }),
    )
    expect(file.metadata.get('after')).toBe(7)
    expect(file.tensors[0].name).toBe('w')
    await file.close()
  })

  it('a value of another kind than asked for is refused by its key', async () => {
    const file = await opened(ggufFile({ entries: [entry('n', UINT32, uint32(1))] }))
    const metadata = new GgufMetadata(file)
    expect(() => metadata.text('n')).toThrow('n is no text')
    expect(() => metadata.numbers('n')).toThrow('n is no list of numbers')
    expect(metadata.number('missing')).toBeUndefined()
    await file.close()
  })
})

describe('a GGUF file that is not whole is refused with file and byte', () => {
  const strings = (count: number | bigint, ...texts: Buffer[]) =>
    entry('list', ARRAY, Buffer.concat([uint32(STRING), uint64(count), ...texts]))
  const cases: [what: string, bytes: Buffer, message: string | RegExp][] = [
    ['empty', Buffer.alloc(0), 'Not a GGUF file'],
    ['of another kind', Buffer.from('PK\x03\x04 something else'), 'Not a GGUF file'],
    ['of version 1', ggufFile({ version: uint32(1) }), 'version 1'],
    ['big-endian', ggufFile({ version: Buffer.of(0, 0, 0, 3) }), 'big-endian'],
    ['with 2^60 tensors', ggufFile({ tensorCount: 2n ** 60n }), 'tensors are announced'],
    ['with 2^64 - 1 entries', ggufFile({ entryCount: 2n ** 64n - 1n }), 'entries of metadata are announced'],
    [
      'with a text of 2^62 bytes',
      ggufFile({ entries: [entry('k', STRING, uint64(2n ** 62n))] }),
      'announced',
    ],
    ['with a list of 2^40 texts', ggufFile({ entries: [strings(2n ** 40n)] }), 'announced'],
    [
      'with a long text in a list',
      ggufFile({ entries: [strings(1, uint64(2n ** 50n))] }),
      'the file ends before',
    ],
    ['with a type that is none', ggufFile({ entries: [entry('k', 13, uint64(0))] }), 'unknown type 13'],
    [
      'with a boolean of 2',
      ggufFile({ entries: [entry('k', BOOL, Buffer.of(2))] }),
      'neither true nor false',
    ],
    [
      'with a key twice',
      ggufFile({ entries: [entry('k', UINT32, uint32(1)), entry('k', UINT32, uint32(1))] }),
      'The key k is there twice',
    ],
    [
      'with an alignment of 3',
      ggufFile({ entries: [entry('general.alignment', UINT32, uint32(3))] }),
      'no power of two',
    ],
    [
      'with a tensor twice',
      ggufFile({ tensors: [tensor('w', [2], F32, 0), tensor('w', [2], F32, 32)], dataBytes: 64 }),
      'w is there twice',
    ],
    [
      'with overlapping tensors',
      ggufFile({ tensors: [tensor('a', [16], F32, 0), tensor('b', [2], F32, 32)], dataBytes: 64 }),
      'b overlaps',
    ],
    [
      'with a tensor past its end',
      ggufFile({ tensors: [tensor('w', [16], F32, 32)], dataBytes: 64 }),
      '32 bytes are missing',
    ],
    [
      'with a tensor far away',
      ggufFile({ tensors: [tensor('w', [2], F32, 2n ** 63n)], dataBytes: 64 }),
      'missing',
    ],
    [
      'with a tensor off the grid',
      ggufFile({ tensors: [tensor('w', [2], F32, 4)], dataBytes: 64 }),
      'no multiple of 32',
    ],
    [
      'with lengths whose product wraps around',
      ggufFile({ tensors: [tensor('w', [2n ** 32n, 2n ** 32n, 4], F32, 0)], dataBytes: 64 }),
      'no size that the file can hold',
    ],
    [
      'with a length of 0',
      ggufFile({ tensors: [tensor('w', [0, 4], F32, 0)] }),
      'no size that the file can hold',
    ],
    [
      'with 5 dimensions',
      ggufFile({ tensors: [tensor('w', [1, 1, 1, 1, 1], F32, 0)], dataBytes: 4 }),
      '5 dimensions',
    ],
    [
      'with half a block',
      ggufFile({ tensors: [tensor('w', [16], Q8_0, 0)], dataBytes: 64 }),
      'no whole blocks of 32',
    ],
    ['in a format we lack', ggufFile({ tensors: [tensor('w', [256], 13, 0)], dataBytes: 256 }), 'is in Q5_K'],
    [
      'in a format nobody knows',
      ggufFile({ tensors: [tensor('w', [256], 99, 0)], dataBytes: 256 }),
      'unknown format 99',
    ],
  ]
  it.each(cases)('%s', async (_, bytes, message) => {
    expect((await refusal(bytes)).message).toMatch(message)
  })

  it('cut off anywhere in its header or data', async () => {
    const whole = ggufFile({
      entries: [entry('k', STRING, text('value')), strings(2, text('a'), text('bc'))],
      tensors: [tensor('w', [32], Q8_0, 0)],
      dataBytes: 34,
    })
    for (let length = 0; length < whole.length; length++) await refusal(whole.subarray(0, length))
    await (await opened(whole)).close()
  })
})
