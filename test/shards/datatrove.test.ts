import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  openDatatrove,
  readDatatrove,
  type ShardSet,
  writeDatatrove,
  writeShards,
} from '../../src/shards/index.ts'
import { temporaryFolder } from './fixtures.ts'

const python = process.env.SMOLFORGE_TEST_PYTHON
const END = 0

/** Documents whose tokens say which document and where in it. */
async function makeSet(
  dir: string,
  domain: string,
  vocabSize: number,
  lengths: readonly number[],
): Promise<ShardSet> {
  const documents = async function* () {
    yield lengths.map((length, n) => ({
      id: `d${n}`,
      tokens: Uint32Array.from({ length }, (_, i) =>
        i === length - 1 ? END : 1 + ((n * 7919 + i) % (vocabSize - 1)),
      ),
    }))
  }
  return writeShards(join(dir, domain), documents(), {
    domain,
    vocabSize,
    endOfTextId: END,
    shardTokens: 500,
  })
}

const lengths = Array.from({ length: 200 }, (_, n) => 1 + ((n * 37) % 90))

function tokensOf(set: ShardSet): string[] {
  return Array.from({ length: set.documents }, (_, n) => {
    const { start, end } = set.span(n)
    const tokens = new Int32Array(end - start)
    set.read(start, end, tokens)
    return tokens.join(' ')
  })
}

async function readBack(path: string): Promise<string[]> {
  const texts: string[] = []
  for (const file of await openDatatrove(path)) {
    for await (const batch of readDatatrove(file)) texts.push(...batch.map(({ tokens }) => tokens.join(' ')))
  }
  return texts
}

describe('tokens for training elsewhere', () => {
  test('hold every document once, in an order of the seed, in the bytes that datatrove writes', async () => {
    const dir = await temporaryFolder()
    const set = await makeSet(dir, 'web', 1000, lengths)
    const [file] = await writeDatatrove(join(dir, 'out'), [set], { tokenizer: 'some/tokenizer' })
    expect(file).toMatchObject({ tokens: set.tokens, documents: 200, tokenSize: 2 })
    const found = await readBack(join(dir, 'out'))
    expect(found).not.toEqual(tokensOf(set))
    expect(found.toSorted()).toEqual(tokensOf(set).toSorted())
    const bytes = await readFile(file!.path)
    expect(bytes.readUInt16LE(0)).toBe(Number(found[0]!.split(' ')[0]))
    const index = await readFile(`${file!.path}.index`)
    expect(index.length).toBe(200 * 8)
    expect(Number(index.readBigUInt64LE(0))).toBe(found[0]!.split(' ').length)
    expect(Number(index.readBigUInt64LE(199 * 8))).toBe(set.tokens)
    expect((await readFile(`${file!.path}.metadata`, 'utf8')).split('\n').slice(0, 2)).toEqual([
      'some/tokenizer|2',
      String(set.tokens),
    ])
    await writeDatatrove(join(dir, 'same'), [set], { tokenizer: 'x' })
    await writeDatatrove(join(dir, 'other'), [set], { tokenizer: 'x', seed: 1 })
    expect(await readBack(join(dir, 'same'))).toEqual(found)
    expect(await readBack(join(dir, 'other'))).not.toEqual(found)
    set.close()
  })

  test('are four bytes wide for a large vocabulary, come in files of a size, and become shards again', async () => {
    const dir = await temporaryFolder()
    const set = await makeSet(dir, 'web', 100_000, lengths)
    const files = await writeDatatrove(join(dir, 'out'), [set], { tokenizer: 'x', fileTokens: 2000 })
    expect(files.length).toBeGreaterThan(2)
    expect(files.every(({ tokenSize }) => tokenSize === 4)).toBe(true)
    const again = await writeShards(
      join(dir, 'again'),
      (async function* () {
        for (const file of await openDatatrove(join(dir, 'out'))) yield* readDatatrove(file)
      })(),
      { domain: 'again', vocabSize: 100_000, endOfTextId: END },
    )
    expect(tokensOf(again).toSorted()).toEqual(tokensOf(set).toSorted())
    set.close()
    again.close()
  })

  test('that do not fit their index are damaged, not read wrongly', async () => {
    const dir = await temporaryFolder()
    const set = await makeSet(dir, 'web', 1000, lengths)
    const [file] = await writeDatatrove(join(dir, 'out'), [set], { tokenizer: 'x' })
    set.close()
    const whole = await readFile(file!.path)
    await writeFile(file!.path, whole.subarray(0, -2))
    await expect(openDatatrove(join(dir, 'out'))).rejects.toMatchObject({ code: 'damaged' })
    await writeFile(file!.path, whole)
    const index = await readFile(`${file!.path}.index`)
    index.writeBigUInt64LE(10n ** 18n, 80)
    await writeFile(`${file!.path}.index`, index)
    await expect(readBack(join(dir, 'out'))).rejects.toMatchObject({ code: 'damaged' })
    await expect(openDatatrove(dir)).rejects.toMatchObject({ code: 'input' })
    await expect(writeDatatrove(join(dir, 'out'), [], { tokenizer: 'x' })).rejects.toMatchObject({
      code: 'usage',
    })
  })
})

describe.skipIf(python === undefined)(
  "datatrove's own reader (skipped without SMOLFORGE_TEST_PYTHON)",
  () => {
    test('reads the tokens that we write, and we read those that it writes', async () => {
      const dir = await temporaryFolder()
      const set = await makeSet(dir, 'web', 1000, lengths)
      const [file] = await writeDatatrove(join(dir, 'out'), [set], { tokenizer: 'x' })
      const script = `
import sys, json
from datatrove.pipeline.tokens.tokenizer import TokenizedFile
from datatrove.pipeline.tokens.merger import load_doc_ends
from datatrove.io import get_datafolder
ds, out = sys.argv[1], sys.argv[2]
folder, name = ds.rsplit('/', 1)
ends = load_doc_ends(get_datafolder(folder).open(name + '.index', 'rb'))
import numpy as np
tokens = np.fromfile(ds, dtype='<u2')
windows = None
try:
    from datatrove.utils.dataset import DatatroveFileDataset
    data = DatatroveFileDataset(ds, seq_len=63, token_size=2)
    windows = [data[i]['input_ids'].tolist() for i in range(len(data))]
except ImportError:
    pass
writer = TokenizedFile(out, '00000_theirs_shuffled.ds', save_final_metadata=True, tokenizer_name_or_path='x', token_size=2)
for n in range(50):
    writer.write([n + 1] * (n + 1) + [0], None)
writer.close()
print(json.dumps({'ends': [int(e) for e in ends], 'windows': windows, 'tokens': tokens.tolist()}))
`
      const theirs = join(dir, 'theirs')
      const said = execFileSync(python!, ['-c', script, file!.path, theirs], {
        encoding: 'utf8',
        maxBuffer: 1 << 26,
      })
      const { ends, windows, tokens } = JSON.parse(said) as {
        ends: number[]
        windows: number[][] | null
        tokens: number[]
      }
      const documents = await readBack(join(dir, 'out'))
      let at = 0
      expect(ends).toEqual(documents.map((document) => (at += document.split(' ').length)))
      expect(tokens).toEqual(documents.flatMap((document) => document.split(' ').map(Number)))
      for (const [i, window] of (windows ?? []).entries())
        expect(window).toEqual(tokens.slice(i * 64, (i + 1) * 64))
      set.close()
      expect(await readBack(theirs)).toEqual(
        Array.from({ length: 50 }, (_, n) => [...Array<number>(n + 1).fill(n + 1), 0].join(' ')),
      )
    })
  },
)
