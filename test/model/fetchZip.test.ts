import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { unpackMember } from '../../src/model/fetch/zip.ts'
import { Random } from '../../src/random/random.ts'
import { makeZip, type ZipMember } from './zipWriter.ts'

const scratch = await mkdtemp(join(tmpdir(), 'smolforge-zip-'))
afterAll(() => rm(scratch, { recursive: true, force: true }))
const archive = join(scratch, 'a.zip')
const target = join(scratch, 'out')

const data = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 253))
const members: ZipMember[] = [
  { name: 'pack/__init__.py', data: Buffer.from('import os') },
  { name: 'pack/model.gguf', data },
  { name: 'pack/plain.gguf', data, stored: true },
  { name: 'pack/empty', data: Buffer.alloc(0), stored: true },
]

async function unpack(zip: Buffer, name = 'pack/model.gguf', maxBytes = data.length) {
  await writeFile(archive, zip)
  return unpackMember(archive, name, target, maxBytes)
}

describe('one member of an archive', () => {
  test.each(['pack/model.gguf', 'pack/plain.gguf'])('%s comes out with its size and hash', async (name) => {
    const sha256 = createHash('sha256').update(data).digest('hex')
    expect(await unpack(makeZip(members), name)).toEqual({ bytes: data.length, sha256 })
    expect(data.equals(await readFile(target))).toBe(true)
  })

  test('may be empty', async () => {
    expect(await unpack(makeZip(members), 'pack/empty')).toMatchObject({ bytes: 0 })
  })

  test('goes where the caller says, whatever the archive calls it', async () => {
    await unpack(makeZip([{ name: '../../evil', data }]), '../../evil')
    expect((await readdir(scratch)).sort()).toEqual(['a.zip', 'out'])
  })
})

describe('an archive', () => {
  test.each<[string, ZipMember, RegExp]>([
    ['with more in it than is wanted', { name: 'm', data: Buffer.alloc(data.length + 1) }, /at most 300000/],
    [
      'that says less than it unpacks to',
      { name: 'm', data: Buffer.alloc(1 << 20), bytes: 10 },
      /more than its 10/,
    ],
    ['that says more than it unpacks to', { name: 'm', data: data.subarray(1), bytes: data.length }, /size/],
    ['with a wrong checksum', { name: 'm', data, crc: 1 }, /checksum/],
    ['that is encrypted', { name: 'm', data, flags: 1 }, /encrypted/],
    ['without the member', { name: 'other', data }, /has no m/],
  ])('%s is refused', async (_, member, message) => {
    const failure = unpack(makeZip([member]), 'm')
    await expect(failure).rejects.toThrow(message)
    await expect(failure).rejects.toMatchObject({ name: 'SmolforgeError', place: { file: archive } })
  })

  test('that is cut off or changed anywhere gives an error of ours or the right bytes', async () => {
    const whole = makeZip([
      { name: 'm', data: data.subarray(0, 500) },
      { name: 'n', data: Buffer.from('n') },
    ])
    const random = new Random(1)
    for (let i = 0; i < 240; i++) {
      const broken = Buffer.from(whole.subarray(0, i % 3 === 0 ? random.int(whole.length) : whole.length))
      for (let j = 0; j < 1 + (i % 4) && broken.length > 0; j++)
        broken[random.int(broken.length)] = random.int(256)
      await unpack(broken, 'm', 500).then(
        async ({ bytes }) => expect(bytes).toBe(500),
        (error) => expect(error).toMatchObject({ name: 'SmolforgeError' }),
      )
    }
  })
})
