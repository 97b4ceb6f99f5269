import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/random/random.ts'
import { ShardSet, type TokenizedDocument, writeShards } from '../../src/shards/index.ts'
import { END, inBatches, randomDocuments, temporaryFolder } from './fixtures.ts'

function readTokens(set: ShardSet, start: number, end: number): number[] {
  const tokens = new Int32Array(end - start)
  set.read(start, end, tokens)
  return [...tokens]
}

describe('documents written as shards', () => {
  for (const vocabSize of [500, 65536, 65537, 200_000]) {
    test(`come back whole and in order with a vocabulary of ${vocabSize}, each with one end token`, async () => {
      const dir = join(await temporaryFolder(), 'prose')
      const documents = randomDocuments(new Random(vocabSize), 300, 40, vocabSize)
      documents.push({ id: 'ended', tokens: Uint32Array.of(vocabSize - 1, END) })
      const options = { domain: 'prose', vocabSize, endOfTextId: END, shardTokens: 1000 }
      await writeShards(dir, inBatches(documents, 37), options)

      const set = await ShardSet.open(dir)
      expect((await readdir(dir)).filter((name) => name.startsWith('shard-')).length).toBeGreaterThan(3)
      expect([set.domain, set.documents]).toEqual(['prose', documents.length])
      let start = 0
      for (const [i, { id, tokens }] of documents.entries()) {
        const whole = tokens.at(-1) === END ? [...tokens] : [...tokens, END]
        const document = { id, start, end: start + whole.length }
        expect(set.document(i)).toEqual(document)
        expect(set.documentAt(start)).toEqual(document)
        expect(set.documentAt(document.end - 1)).toEqual(document)
        expect(readTokens(set, start, document.end)).toEqual(whole)
        start = document.end
      }
      expect(set.tokens).toBe(start)
      expect(() => set.documentAt(start)).toThrow(/outside/)
      const all = readTokens(set, 0, start)
      expect(readTokens(set, 777, 2500)).toEqual(all.slice(777, 2500))
      set.close()
      expect(readTokens(set, 1, 3)).toEqual(all.slice(1, 3))
    })
  }

  test('a token outside the vocabulary is refused with its document, and nothing is left behind', async () => {
    const parent = await temporaryFolder()
    const documents = [
      { id: 'good', tokens: Uint32Array.of(1, 2) },
      { id: 'bad', tokens: Uint32Array.of(1, 70_000) },
    ]
    const options = { domain: 'prose', vocabSize: 500, endOfTextId: END }
    const written = writeShards(join(parent, 'prose'), inBatches(documents, 5), options)
    await expect(written).rejects.toMatchObject({ code: 'input', message: expect.stringContaining('bad') })
    expect(await readdir(parent)).toEqual([])
  })

  test('a stream of documents that fails leaves nothing that looks like shards', async () => {
    const parent = await temporaryFolder()
    async function* failing(): AsyncGenerator<TokenizedDocument[]> {
      yield [{ id: 'a', tokens: Uint32Array.of(1) }]
      throw new Error('the reader broke')
    }
    const options = { domain: 'prose', vocabSize: 500, endOfTextId: END }
    await expect(writeShards(join(parent, 'prose'), failing(), options)).rejects.toThrow('the reader broke')
    expect(await readdir(parent)).toEqual([])
  })

  test('shards that are there already are never written over', async () => {
    const dir = await temporaryFolder()
    await writeFile(join(dir, 'mine'), 'keep')
    const written = writeShards(dir, inBatches([], 1), { domain: 'prose', vocabSize: 500, endOfTextId: END })
    await expect(written).rejects.toMatchObject({ code: 'usage', place: { file: dir } })
    expect(await readdir(dir)).toEqual(['mine'])
  })

  test('a killed writer leaves no folder under the final name, and the next one starts afresh', async () => {
    const parent = await temporaryFolder()
    const dir = join(parent, 'prose')
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL('./endless-writer.ts', import.meta.url)), dir],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(existsSync(dir)).toBe(false)
    expect(await readdir(parent)).toEqual(['.prose.partial'])
    const documents = [{ id: 'a', tokens: Uint32Array.of(1, 2) }]
    const set = await writeShards(dir, inBatches(documents, 1), {
      domain: 'prose',
      vocabSize: 500,
      endOfTextId: END,
    })
    expect(set.tokens).toBe(3)
    expect(await readdir(parent)).toEqual(['prose'])
  })
})

describe('a damaged folder is found when it is opened, and the file is named', () => {
  async function folder(): Promise<string> {
    const dir = join(await temporaryFolder(), 'prose')
    const documents = randomDocuments(new Random('damage'), 200, 40, 500)
    const options = { domain: 'prose', vocabSize: 500, endOfTextId: END, shardTokens: 1000 }
    await writeShards(dir, inBatches(documents, 50), options)
    return dir
  }

  const files = ['shard-00000.bin', 'shard-00002.bin', 'documents.bin', 'documents.ids']
  for (const file of files) {
    test(`${file}: a flipped bit, a missing end, bytes too many, no file`, async () => {
      const dir = await folder()
      const path = join(dir, file)
      const whole = await readFile(path)
      const damaged = { code: 'damaged', place: { file: path } }
      const flipped = Buffer.from(whole)
      flipped[whole.length >> 1] ^= 4
      await writeFile(path, flipped)
      await expect(ShardSet.open(dir)).rejects.toMatchObject(damaged)
      await writeFile(path, whole.subarray(0, -1))
      await expect(ShardSet.open(dir, { verify: 'sizes' })).rejects.toMatchObject(damaged)
      await writeFile(path, whole)
      await appendFile(path, 'x')
      await expect(ShardSet.open(dir, { verify: 'sizes' })).rejects.toMatchObject(damaged)
      await rm(path)
      await expect(ShardSet.open(dir)).rejects.toMatchObject(damaged)
      await writeFile(path, whole)
      await ShardSet.open(dir)
    })
  }

  test('shards.json: no JSON, wrong numbers, a path out of the folder', async () => {
    const dir = await folder()
    const path = join(dir, 'shards.json')
    const whole = await readFile(path, 'utf8')
    const damaged = { code: 'damaged', place: { file: path } }
    const changes: ((text: string) => string)[] = [
      (text) => text.slice(0, 100),
      () => '{}',
      (text) => text.replace(/"tokens": \d+/, '"tokens": 7'),
      (text) => text.replace(/"documents": \d+/, '"documents": 7'),
      (text) => text.replace('"u16"', '"u32"'),
      (text) => text.replace('shard-00000.bin', '../shard-00000.bin'),
    ]
    for (const change of changes) {
      expect(change(whole)).not.toBe(whole)
      await writeFile(path, change(whole))
      await expect(ShardSet.open(dir)).rejects.toMatchObject(damaged)
    }
    await rm(path)
    await expect(ShardSet.open(dir)).rejects.toMatchObject({ code: 'input', place: { file: path } })
  })

  test('a shard that is cut while it is in use gives the file and the byte instead of wrong tokens', async () => {
    const dir = await folder()
    const set = await ShardSet.open(dir)
    await truncate(join(dir, 'shard-00001.bin'), 100)
    const path = join(dir, 'shard-00001.bin')
    expect(() => readTokens(set, 0, set.tokens)).toThrow(
      expect.objectContaining({ code: 'damaged', place: { file: path, byte: 100 } }),
    )
  })

  test('a folder of something else is no damaged one', async () => {
    const dir = await temporaryFolder()
    await mkdir(join(dir, 'empty'))
    await expect(ShardSet.open(join(dir, 'empty'))).rejects.toMatchObject({ code: 'input' })
  })
})
