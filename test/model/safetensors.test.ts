import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SmolforgeError } from '../../src/errors.ts'
import { openSafetensors, writeSafetensors } from '../../src/model/checkpoints/safetensors.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'))
})
afterEach(() => rm(folder, { recursive: true }))

const numbers = (...values: number[]) => Float32Array.from(values)

function file(header: unknown, data: Uint8Array, announced?: bigint): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(announced ?? BigInt(json.byteLength))
  return Buffer.concat([length, json, data])
}

async function refusal(bytes: Uint8Array): Promise<SmolforgeError> {
  const path = join(folder, 'bad.safetensors')
  await writeFile(path, bytes)
  const error = await openSafetensors(path).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(SmolforgeError)
  expect((error as SmolforgeError).place.file).toBe(path)
  return error as SmolforgeError
}

const entry = (dtype: string, shape: number[], start: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [start, end],
})

describe('weights come back as they were saved', () => {
  it('f32 to the bit, whatever the order they were given in', async () => {
    const path = join(folder, 'a.safetensors')
    const values = numbers(1.5, -0, 3e-45, Number.POSITIVE_INFINITY, 0.1, 7)
    await writeSafetensors(path, [
      { name: 'z', shape: [2, 3], read: () => values },
      { name: 'a', shape: [], read: () => numbers(42) },
      { name: 'empty', shape: [0, 4], read: () => numbers() },
    ])
    const opened = await openSafetensors(path)
    expect(opened.header.entries.map((tensor) => tensor.name).sort()).toEqual(['a', 'empty', 'z'])
    expect(new Uint8Array((await opened.read('z')).buffer)).toEqual(new Uint8Array(values.buffer))
    expect(await opened.read('a')).toEqual(numbers(42))
    expect(await opened.read('empty')).toEqual(numbers())
    await expect(opened.read('nothing')).rejects.toThrow('no tensor nothing')
    await opened.close()
    expect(await readdir(folder)).toEqual(['a.safetensors'])
  })

  it('bf16 to its 8 bits of precision', async () => {
    const path = join(folder, 'b.safetensors')
    await writeSafetensors(path, [{ name: 'w', shape: [3], read: () => numbers(1, 0.1, -3e38) }], {
      dtype: 'BF16',
    })
    const opened = await openSafetensors(path)
    const [one, tenth, large] = await opened.read('w')
    await opened.close()
    expect(one).toBe(1)
    expect(Math.abs(tenth - 0.1)).toBeLessThan(0.1 / 256)
    expect(large / -3e38).toBeCloseTo(1, 2)
  })

  it('f16 files of others are read', async () => {
    const path = join(folder, 'h.safetensors')
    await writeFile(path, file({ w: entry('F16', [2], 0, 4) }, Uint8Array.of(0x00, 0x3c, 0x00, 0xc0)))
    const opened = await openSafetensors(path)
    expect(await opened.read('w')).toEqual(numbers(1, -2))
    await opened.close()
  })

  it('the hash that is returned is that of the bytes on the disk', async () => {
    const { createHash } = await import('node:crypto')
    const path = join(folder, 'c.safetensors')
    const written = await writeSafetensors(path, [{ name: 'w', shape: [1], read: () => numbers(1) }])
    const bytes = await readFile(path)
    expect(written).toEqual({
      bytes: bytes.byteLength,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })
  })

  it('a failing write leaves the earlier file as it was', async () => {
    const path = join(folder, 'd.safetensors')
    await writeSafetensors(path, [{ name: 'w', shape: [1], read: () => numbers(1) }])
    const before = await readFile(path)
    const broken = {
      name: 'w',
      shape: [1],
      read: () => {
        throw new Error('gone')
      },
    }
    await expect(writeSafetensors(path, [broken])).rejects.toThrow('gone')
    expect(await readFile(path)).toEqual(before)
    expect(await readdir(folder)).toEqual(['d.safetensors'])
  })
})

describe('a malformed file is refused with file and byte, before memory is taken for it', () => {
  const good = { w: entry('F32', [2], 0, 8) }

  it('empty, or shorter than its own header', async () => {
    expect((await refusal(new Uint8Array(0))).code).toBe('damaged')
    expect((await refusal(new Uint8Array(5))).place.byte).toBe(5)
    expect((await refusal(file(good, new Uint8Array(0)).subarray(0, 20))).code).toBe('damaged')
  })

  it('an absurd header length', async () => {
    const error = await refusal(file(good, new Uint8Array(8), 0xffff_ffff_ffff_ffffn))
    expect(error).toMatchObject({ code: 'damaged', place: { byte: 0 } })
    expect((await refusal(file(good, new Uint8Array(8), 99_000_000n))).code).toBe('damaged')
  })

  it('a header that is no JSON or no table', async () => {
    expect((await refusal(file('{"w": ', new Uint8Array(0)))).message).toContain('no JSON')
    expect((await refusal(file('[1, 2]', new Uint8Array(0)))).code).toBe('damaged')
    expect((await refusal(file({ w: 5 }, new Uint8Array(0)))).message).toContain('entry of w')
    expect((await refusal(file(Buffer.from([0xff, 0xfe]).toString('latin1'), new Uint8Array(0)))).code).toBe(
      'damaged',
    )
  })

  it('truncated data, naming the tensor that is cut', async () => {
    const bytes = file(good, new Uint8Array(7))
    const error = await refusal(bytes)
    expect(error).toMatchObject({ code: 'damaged', place: { byte: bytes.byteLength } })
    expect(error.message).toContain('inside the tensor w')
  })

  it('overlapping tensors, gaps and data left over', async () => {
    const overlap = { a: entry('F32', [2], 0, 8), b: entry('F32', [2], 4, 12) }
    expect((await refusal(file(overlap, new Uint8Array(12)))).message).toContain('overlaps')
    const gap = { a: entry('F32', [1], 0, 4), b: entry('F32', [1], 8, 12) }
    expect((await refusal(file(gap, new Uint8Array(12)))).message).toContain('belong to no tensor')
    expect((await refusal(file(good, new Uint8Array(9)))).message).toContain('at the end')
  })

  it('a shape that does not fit its bytes, or is absurd', async () => {
    expect((await refusal(file({ w: entry('F32', [3], 0, 8) }, new Uint8Array(8)))).message).toContain(
      'needs 12',
    )
    const huge = { w: entry('F32', [2 ** 40, 2 ** 40], 0, 8) }
    expect((await refusal(file(huge, new Uint8Array(8)))).code).toBe('damaged')
    expect((await refusal(file({ w: entry('F32', [-2], 0, 8) }, new Uint8Array(8)))).code).toBe('damaged')
    expect((await refusal(file({ w: entry('F32', [2], 8, 0) }, new Uint8Array(8)))).code).toBe('damaged')
  })

  it('a type that nobody knows, or that is no float', async () => {
    expect((await refusal(file({ w: entry('Q7', [8], 0, 8) }, new Uint8Array(8)))).code).toBe('input')
    const path = join(folder, 'ints.safetensors')
    await writeFile(path, file({ w: entry('I64', [1], 0, 8) }, new Uint8Array(8)))
    const opened = await openSafetensors(path)
    await expect(opened.read('w')).rejects.toThrow('F32, BF16 and F16')
    await opened.close()
  })

  it('a file that is not there', async () => {
    const error = await openSafetensors(join(folder, 'none')).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'input', place: { file: join(folder, 'none') } })
  })
})
