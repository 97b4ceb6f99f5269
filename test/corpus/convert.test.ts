import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import {
  type ConvertOptions,
  convertCorpus,
  type Document,
  readDocuments,
  sourceSchema,
} from '../../src/corpus/index.ts'
import { fixtures, temporaryFolder } from './collect.ts'

const convert = (source: Record<string, unknown>, options: Partial<ConvertOptions> & { output: string }) =>
  convertCorpus(sourceSchema.parse({ name: 'in', domain: 'text', licence: 'CC0-1.0', ...source }), {
    cacheDir: '/nowhere',
    baseDir: fixtures,
    ...options,
  })

async function readBack(path: string): Promise<Document[]> {
  const documents: Document[] = []
  for await (const batch of readDocuments(path)) documents.push(...batch)
  return documents
}

describe('converting a corpus', () => {
  test('any form becomes any other and documents stay who they are', async () => {
    const folder = await temporaryFolder()
    const first = join(folder, 'a.jsonl')
    await convert({ path: 'prose' }, { output: first })
    const documents = await readBack(first)
    expect(documents).toHaveLength(10)
    let from = first
    for (const name of ['b.parquet', 'c.jsonl.zst', 'd.jsonl.gz', 'e.parquet']) {
      const output = join(folder, name)
      await convert({ path: from, name: 'other', licence: 'MIT' }, { output })
      expect(await readBack(output), name).toEqual(documents)
      from = output
    }
  })

  test('a folder is shards with a card that says what is in them and what was lost', async () => {
    const folder = await temporaryFolder()
    const output = join(folder, 'set')
    const { documents, damages } = await convert(
      { path: 'notes.jsonl' },
      { output, title: 'Notes', shardBytes: 1000 },
    )
    expect(damages).toBe(1)
    const files = (await readdir(join(output, 'data'))).sort()
    expect(files.length).toBeGreaterThan(1)
    expect(files[0]).toBe(`train-00000-of-${String(files.length).padStart(5, '0')}.parquet`)
    let rows = 0
    for (const file of files) rows += (await readBack(join(output, 'data', file))).length
    expect(rows).toBe(documents)
    const [, front, body] = (await readFile(join(output, 'README.md'), 'utf8')).split('---\n')
    expect(parse(front!)).toMatchObject({
      pretty_name: 'Notes',
      license: 'cc0-1.0',
      size_categories: ['n<1K'],
      configs: [{ data_files: [{ split: 'train', path: files.map((file) => `data/${file}`) }] }],
      dataset_info: { splits: [{ num_examples: documents }] },
    })
    expect(body).toContain('| no JSON | 1 | 27 |')
    expect(body).toContain(`| read | ${documents} | ${documents} |`)
    await expect(convert({ path: 'prose' }, { output })).rejects.toMatchObject({ code: 'usage' })
    await expect(convert({ path: 'prose' }, { output: join(folder, 'x.csv') })).rejects.toMatchObject({
      code: 'usage',
    })
    expect((await readdir(folder)).sort()).toEqual(['set'])
  })

  test('an empty input makes an output that can be read', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'in'))
    await writeFile(join(folder, 'in/a.jsonl'), '\n')
    for (const name of ['a.parquet', 'a.jsonl.zst']) {
      await convert({ path: join(folder, 'in') }, { output: join(folder, name) })
      expect(await readBack(join(folder, name))).toEqual([])
    }
    await convert({ path: join(folder, 'in') }, { output: join(folder, 'set') })
    expect(await readBack(join(folder, 'set/data/train-00000-of-00001.parquet'))).toEqual([])
  })
})
