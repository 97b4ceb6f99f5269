import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Document, type DocumentBatch, readDocuments, writeDocuments } from '../../src/corpus/index.ts'
import { readAll, temporaryFolder } from './collect.ts'

function* batches(count: number): Generator<DocumentBatch> {
  for (let from = 0; from < count; from += 100) {
    yield Array.from({ length: Math.min(100, count - from) }, (_, i) => {
      const n = from + i
      const document: Document = {
        id: `made:${n}`,
        text: `Text ${n} with “quotes”, 😀 and\na second line. ${Math.sin(n)} `.repeat(n % 40),
        source: 'made',
        licence: 'CC0-1.0',
        scores: { words: n / 3 },
        meta: { path: `f/${n}`, whole: n % 2 === 0 },
      }
      return n % 5 === 0 ? { ...document, url: 'https://a.example', language: 'eng' } : document
    })
  }
}

async function* stream(count: number) {
  yield* batches(count)
}

async function readBack(path: string): Promise<Document[]> {
  const documents: Document[] = []
  for await (const batch of readDocuments(path)) documents.push(...batch)
  return documents
}

describe('documents on disk', () => {
  for (const extension of ['jsonl', 'jsonl.gz', 'jsonl.zst', 'parquet']) {
    test(`come back the same from .${extension}`, async () => {
      const path = join(await temporaryFolder(), `documents.${extension}`)
      const all = [...batches(3000)].flat()
      const written = await writeDocuments(path, stream(3000))
      expect(written.documents).toBe(3000)
      expect(written.bytes).toBe(all.reduce((sum, document) => sum + Buffer.byteLength(document.text), 0))
      expect(await readBack(path)).toEqual(all)
    })

    test(`an empty stream makes a .${extension} file that reads as empty`, async () => {
      const path = join(await temporaryFolder(), `documents.${extension}`)
      await writeDocuments(path, stream(0))
      expect(await readBack(path)).toEqual([])
    })
  }

  test('a cut or changed compressed file is an error that names file and byte', async () => {
    const folder = await temporaryFolder()
    for (const extension of ['jsonl.gz', 'jsonl.zst']) {
      const path = join(folder, `documents.${extension}`)
      await writeDocuments(path, stream(3000))
      const whole = await readFile(path)
      const changed = Buffer.from(whole)
      for (let i = 0; i < 50; i++) changed[(whole.length >> 1) + i]! ^= 0x55
      for (const bytes of [
        changed,
        ...[0.2, 0.5, 0.9].map((share) => whole.subarray(0, whole.length * share)),
        whole.subarray(0, -1),
      ]) {
        await writeFile(path, bytes)
        const error = await readBack(path).then(
          () => undefined,
          (reason) => reason,
        )
        expect(error, extension).toMatchObject({ code: 'damaged', place: { file: path } })
        expect(error.place.byte ?? error.place.line).toBeGreaterThan(0)
        expect(error.place.byte ?? 0).toBeLessThanOrEqual(bytes.length)
      }
    }
  })

  test('a line that is no document is an error that names the line', async () => {
    const path = join(await temporaryFolder(), 'documents.jsonl')
    await writeDocuments(path, stream(2))
    await writeFile(path, `${await readFile(path, 'utf8')}{"id": 3}\n`)
    await expect(readBack(path)).rejects.toMatchObject({ code: 'damaged', place: { file: path, line: 3 } })
  })

  test('a stream that fails leaves the old file as it was and no rest beside it', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'documents.jsonl.zst')
    await writeDocuments(path, stream(10))
    const failing = async function* () {
      yield* batches(5000)
      throw new Error('the reader failed')
    }
    await expect(writeDocuments(path, failing())).rejects.toThrow('the reader failed')
    expect(await readBack(path)).toHaveLength(10)
    expect(await readdir(folder)).toEqual(['documents.jsonl.zst'])
    await expect(writeDocuments(join(folder, 'no/such/folder.jsonl'), stream(1))).rejects.toMatchObject({
      code: 'input',
    })
  })

  test('what was written can be the source of another corpus', async () => {
    const path = join(await temporaryFolder(), 'documents.jsonl.zst')
    await writeDocuments(path, stream(200))
    const { documents } = await readAll({ name: 'again', path })
    expect(documents.map((document) => document.text)).toEqual(
      [...batches(200)]
        .flat()
        .map((document) => document.text)
        .filter((text) => text !== ''),
    )
  })

  test('a damaged source file gives its good part and a damage for the rest', async () => {
    const path = join(await temporaryFolder(), 'documents.jsonl.gz')
    await writeDocuments(path, stream(5000))
    const whole = await readFile(path)
    await writeFile(path, whole.subarray(0, whole.length / 2))
    const { documents, damages } = await readAll({ name: 'cut', path })
    expect(documents.length).toBeGreaterThan(100)
    expect(damages).toHaveLength(1)
    expect(damages[0]!.byteOffset + damages[0]!.bytesLost).toBe((await stat(path)).size)
  })
})
