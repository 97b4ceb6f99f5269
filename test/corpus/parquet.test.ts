import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parquetMetadata } from 'hyparquet'
import { describe, expect, test } from 'vitest'
import { type Document, parquetCodecs, readDocuments, writeDocuments } from '../../src/corpus/index.ts'
import { readAll, temporaryFolder } from './collect.ts'

const root = join(import.meta.dirname, '../..')
const python = process.env.SMOLFORGE_TEST_PYTHON

function made(count: number): Document[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `made:${n}`,
    text: `${n % 7 === 0 ? '\uFEFF' : ''}Text ${n}: ${'some words, “quotes” and 😀. '.repeat(n % 30)}${Math.sin(n)}`,
    source: n % 3 === 0 ? 'first' : 'second',
    licence: 'CC0-1.0',
    scores: { edu: n / 3 },
    meta: { path: `f/${n}`, whole: n % 2 === 0 },
    ...(n % 5 === 0 ? { url: `https://a.example/${n}`, language: 'eng' } : {}),
  }))
}

async function* inBatches(documents: readonly Document[]) {
  for (let at = 0; at < documents.length; at += 100) yield documents.slice(at, at + 100)
}

async function readBack(path: string): Promise<Document[]> {
  const documents: Document[] = []
  for await (const batch of readDocuments(path)) documents.push(...batch)
  return documents
}

describe('Parquet', () => {
  for (const parquetCodec of parquetCodecs) {
    test(`documents come back the same from pages packed by ${parquetCodec}`, async () => {
      const path = join(await temporaryFolder(), 'documents.parquet')
      const documents = made(2000)
      await writeDocuments(path, inBatches(documents), { parquetCodec })
      expect(await readBack(path)).toEqual(documents)
      const { row_groups } = parquetMetadata(new Uint8Array(await readFile(path)).buffer)
      expect(row_groups[0].columns[1].meta_data?.codec).toBe(parquetCodec.toUpperCase())
    })
  }

  test('a corpus of many row groups is read a group at a time', async () => {
    const path = join(await temporaryFolder(), 'documents.parquet')
    const long = 'x'.repeat(9 << 20)
    const documents = made(12).map((document, n) => ({ ...document, text: `${n} ${long}` }))
    await writeDocuments(path, inBatches(documents))
    expect(parquetMetadata(new Uint8Array(await readFile(path)).buffer).row_groups).toHaveLength(3)
    const batches: number[] = []
    for await (const batch of readDocuments(path)) batches.push(batch.length)
    expect(batches.length).toBeGreaterThan(3)
    expect(batches.reduce((sum, length) => sum + length)).toBe(12)
  })

  test('is a source, with the text in the column that the source names', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'documents.parquet')
    await writeDocuments(path, inBatches(made(10)))
    const { documents, damages } = await readAll({ name: 'again', path })
    expect(damages).toEqual([])
    expect(documents[5]).toMatchObject({
      id: 'again:documents.parquet#5',
      source: 'again',
      url: 'https://a.example/5',
      meta: { whole: false, domain: 'test', path: 'documents.parquet' },
    })
    const ids = await readAll({ name: 'again', path, textField: 'source' })
    expect(ids.documents.map(({ text }) => text).slice(0, 3)).toEqual(['first', 'second', 'second'])
    const none = await readAll({ name: 'again', path, textField: 'content' })
    expect(none.documents).toEqual([])
    expect(none.damages[0]?.reason).toBe('row 0: no object with a "content"')
  })

  test('a changed row group is one damage with its bytes, and the next one is read', async () => {
    const path = join(await temporaryFolder(), 'documents.parquet')
    const documents = made(120_000).map((document) => ({ ...document, text: document.id }))
    await writeDocuments(path, inBatches(documents))
    const whole = await readFile(path)
    const { row_groups } = parquetMetadata(new Uint8Array(whole).buffer)
    expect(row_groups.length).toBe(3)
    const column = row_groups[1].columns[1].meta_data!
    const changed = Buffer.from(whole)
    const at = Number(column.data_page_offset) + 2000
    for (let i = 0; i < 20; i++) changed[at + i]! ^= 0x5a
    await writeFile(path, changed)
    const read = await readAll({ name: 'a', path })
    expect(read.damages).toHaveLength(1)
    const { byteOffset, bytesLost, reason } = read.damages[0]!
    expect(byteOffset).toBeLessThan(at)
    expect(byteOffset + bytesLost).toBeGreaterThan(at)
    expect(reason).toMatch(/^row group 1: rows \d+ to 99999 are lost/)
    const first = Number(/rows (\d+)/.exec(reason)?.[1])
    expect(read.documents).toHaveLength(120_000 - (100_000 - first))
    await expect(readBack(path)).rejects.toMatchObject({
      code: 'damaged',
      place: { file: path, byte: byteOffset },
    })
  })

  test('a file that is cut, empty or of another kind is lost to its last byte, and none of them stops the reader', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'documents.parquet')
    await writeDocuments(path, inBatches(made(500)))
    const whole = await readFile(path)
    const lying = Buffer.from(whole)
    lying.writeUInt32LE(0x7fffffff, whole.length - 8)
    for (const bytes of [
      whole.subarray(0, -1),
      whole.subarray(0, 300),
      Buffer.alloc(0),
      lying,
      Buffer.from('PAR1PAR1PAR1'),
    ]) {
      await writeFile(path, bytes)
      const { documents, damages } = await readAll({ name: 'a', path })
      expect(documents).toEqual([])
      expect(damages).toMatchObject([{ byteOffset: 0, bytesLost: bytes.length }])
    }
    let seed = 1
    const random = (below: number) => {
      seed = (seed * 48271) % 2147483647
      return seed % below
    }
    for (let round = 0; round < 60; round++) {
      const bytes = Buffer.from(whole)
      // Half of the changes where the footer is: there a few bytes mean much.
      const from = round % 2 === 0 ? 0 : whole.length - 700
      for (let i = 0; i < 3; i++) bytes[from + random(whole.length - from)] = random(256)
      await writeFile(path, bytes)
      const { documents, damages } = await readAll({ name: 'a', path })
      expect(documents.length).toBeLessThanOrEqual(500)
      for (const { byteOffset, bytesLost } of damages)
        expect(byteOffset + bytesLost).toBeLessThanOrEqual(bytes.length)
    }
  })
})

describe.skipIf(python === undefined)('pyarrow (skipped without SMOLFORGE_TEST_PYTHON)', () => {
  test('reads what we write, and we read what it writes', async () => {
    const folder = await temporaryFolder()
    const ours = join(folder, 'ours.parquet')
    const documents = made(1000)
    await writeDocuments(ours, inBatches(documents))
    const script = `
import sys, json, pyarrow as pa, pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
for codec in ['snappy', 'zstd', 'gzip', 'none']:
    for dictionary in [True, False]:
        nested = table.append_column('tags', pa.array([['a', 'b']] * table.num_rows))
        pq.write_table(nested, f'{sys.argv[2]}/{codec}-{dictionary}.parquet', compression=codec, row_group_size=300,
                       use_dictionary=dictionary, write_page_index=dictionary, data_page_size=4096)
print(json.dumps(table.column('text').to_pylist()))
`
    const texts = JSON.parse(
      execFileSync(python!, ['-c', script, ours, folder], { encoding: 'utf8', maxBuffer: 1 << 26 }),
    )
    expect(texts).toEqual(documents.map(({ text }) => text))
    for (const codec of ['snappy', 'zstd', 'gzip', 'none']) {
      for (const dictionary of ['True', 'False']) {
        const { documents: read } = await readAll({
          name: 'a',
          path: join(folder, `${codec}-${dictionary}.parquet`),
        })
        expect(read.map(({ text }) => text)).toEqual(texts)
      }
    }
  })
})

test('a file whose pages lead the decoder into an endless loop costs a row group, not the run', async () => {
  const path = join(root, 'test/fixtures/parquet/endless.parquet')
  // In a thread of its own, as compiled code has it.
  const compiled: typeof import('../../src/corpus/parquet/guard.ts') = await import(
    join(root, 'dist/corpus/parquet/guard.js')
  )
  const parts: unknown[] = []
  for await (const part of compiled.readParquet(path, { maxMilliseconds: 1000 })) parts.push(part)
  expect(parts).toEqual([
    {
      byteOffset: 4,
      bytesLost: expect.any(Number),
      reason: 'row group 0: its rows took longer than 1000 ms',
    },
  ])
})
