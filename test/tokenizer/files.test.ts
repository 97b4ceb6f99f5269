import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readTextBatches, textBatch } from '../../src/curate/index.ts'
import { ShardSet, writeShards } from '../../src/shards/index.ts'
import { FertilityCounter, Tokenizer, trainTokenizer } from '../../src/tokenizer/index.ts'
import { fixtureFolder, jsonLines, oneBatch, temporaryFolder } from './fixtures.ts'

const tokenizer = await Tokenizer.load(fixtureFolder)
const texts = (await readFile(join(fixtureFolder, 'training.txt'), 'utf8')).split('\n')

test('a file of texts trains the same tokenizer as the texts themselves, on any number of threads', async () => {
  const dir = await temporaryFolder()
  const file = join(dir, 'texts.jsonl')
  await writeFile(file, texts.map((text) => `${JSON.stringify({ text })}\n`).join(''))
  const expected = await trainTokenizer(oneBatch(texts), { vocabSize: 600 })
  for (const threads of [1, 3]) {
    const batches = readTextBatches(file, { threads, batchBytes: 1000 })
    const trained = await trainTokenizer(batches, { vocabSize: 600, threads })
    for (let id = 0; id < 600; id++) expect(trained.tokenBytes(id)).toEqual(expected.tokenBytes(id))
  }
})

test('a file is encoded line by line: other members stay, old ids go, blank lines are left out', async () => {
  const dir = await temporaryFolder()
  const [input, output] = [join(dir, 'in.jsonl'), join(dir, 'out.jsonl')]
  const lines = [
    { id: 7, text: 'the "ids" of <|im_end|>\u2028 12', more: { ids: [1], a: ['}', '{'] } },
    { ids: [9, 9], text: '' },
    { text: 'x\\', ids: 'old', z: null },
  ]
  const written = lines.map((line) => JSON.stringify(line))
  await writeFile(input, `\ufeff${written[0]}\n\n  ${written[1]}  \r\n${written[2]}`)
  for (const threads of [1, 2]) {
    const counts = await tokenizer.encodeLines(input, output, { threads })
    const encoded = await jsonLines<Record<string, unknown>>(output)
    expect(encoded).toEqual(lines.map((line) => ({ ...line, ids: [...tokenizer.encode(line.text)] })))
    expect(counts.lines).toBe(3)
    expect(counts.tokens).toBe(encoded.reduce((sum, { ids }) => sum + (ids as number[]).length, 0))
  }
  for (const [i, line] of (await readFile(output, 'utf8')).trimEnd().split('\n').entries()) {
    expect(line.match(/"ids"\s*:/g)?.length, line).toBe(i === 0 ? 2 : 1)
  }
})

test('begin and end tokens are put in as the file says, or left out', async () => {
  const dir = await temporaryFolder()
  const [input, output] = [join(dir, 'in.jsonl'), join(dir, 'out.jsonl')]
  await writeFile(input, '{"text":"the end"}\n')
  const llama = await Tokenizer.load(join(fixtureFolder, 'kinds/llama3.json'))
  const plain = [...llama.encode('the end')]
  await llama.encodeLines(input, output)
  expect((await jsonLines(output))[0]).toEqual({
    text: 'the end',
    ids: [llama.tokenId('<|begin_of_text|>'), ...plain],
  })
  await llama.encodeLines(input, output, { addSpecialTokens: false })
  expect((await jsonLines(output))[0]).toEqual({ text: 'the end', ids: plain })
})

test('the first line that has no text is named, and no output appears', async () => {
  const dir = await temporaryFolder()
  const [input, output] = [join(dir, 'in.jsonl'), join(dir, 'out.jsonl')]
  for (const bad of ['{"text": 5}', '[1]', '{"text": "a"', 'nothing']) {
    await writeFile(input, `{"text":"a"}\n\n${bad}\n{"text":"b"}\n`)
    await expect(tokenizer.encodeLines(input, output)).rejects.toMatchObject({
      code: 'input',
      place: { file: input, line: 3 },
    })
    await expect(readFile(output)).rejects.toMatchObject({ code: 'ENOENT' })
  }
  await expect(tokenizer.encodeLines(join(dir, 'nowhere'), output)).rejects.toMatchObject({ code: 'input' })
})

test.each([65_536, 70_000])(
  'shards packed in the addon are those of encoded documents (vocabulary %i)',
  async (vocabSize) => {
    const dir = await temporaryFolder()
    const documents = ['', 'the cat', 'ünï <|endoftext|>', ...texts.slice(0, 200)]
    const options = { domain: 'd', vocabSize, endOfTextId: tokenizer.endOfTextId, shardTokens: 700 }
    async function* encoded() {
      const ids = tokenizer.encodeBatch(documents)
      yield documents.map((_, i) => ({ id: `é${i}`, tokens: ids[i] }))
    }
    async function* packed() {
      for (let from = 0; from < documents.length; from += 50) {
        const some = documents.slice(from, from + 50)
        const ids = some.map((_, i) => `é${from + i}`)
        yield { ids, ...(await tokenizer.packTexts(textBatch(some), vocabSize > 65_536 ? 4 : 2)) }
      }
    }
    const one = await writeShards(join(dir, 'one'), encoded(), options)
    const other = await writeShards(join(dir, 'other'), packed(), options)
    const manifest = (name: string) => readFile(join(dir, name, 'shards.json'), 'utf8')
    expect(await manifest('other')).toBe(await manifest('one'))
    expect(one.shards.length).toBeGreaterThan(3)
    const document = other.find('é2')
    expect(document).toEqual(one.document(2))
    expect(other.find('nowhere')).toBeUndefined()
    const { file, byte } = other.fileOf(document?.start ?? 0)
    const bytes = await readFile(join(dir, 'other', file))
    const first = other.dtype === 'u16' ? bytes.readUInt16LE(byte) : bytes.readUInt32LE(byte)
    expect(first).toBe(tokenizer.encode('ünï <|endoftext|>')[0])
    for (const set of [one, other]) set.close()
    ;(await ShardSet.open(join(dir, 'other'))).close()
  },
)

test('fertility adds up: tokens, words and split words by domain and language', () => {
  const counter = new FertilityCounter(tokenizer)
  const documents = [
    { text: ' the the', domain: 'a', language: 'eng' },
    { text: 'xqzwv the', domain: 'a', language: 'eng' },
    { text: '漢字', domain: 'b', language: 'cmn' },
  ]
  counter.add({ texts: textBatch(documents.map(({ text }) => text)), labels: documents })
  const { total, domains, languages, vocabulary } = counter.result()
  expect(domains.map(({ name }) => name).sort()).toEqual(['a', 'b'])
  expect(total.tokens).toBe(documents.reduce((sum, { text }) => sum + tokenizer.encode(text).length, 0))
  expect(languages.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(total.tokens)
  const english = languages.find(({ name }) => name === 'eng')
  expect(english).toMatchObject({ documents: 2, words: 4, bytes: 17, splitShare: 0.25 })
  // Each of the two characters takes three bytes that this vocabulary has no tokens for.
  expect(languages.find(({ name }) => name === 'cmn')).toMatchObject({
    words: 2,
    tokensPerWord: 3,
    splitShare: 1,
  })
  expect(vocabulary.unused).toBeGreaterThan(600)
  expect(vocabulary.longest[0].count).toBeGreaterThan(0)
})

test('tokens that no text gives are found: their last merge is missing', async () => {
  const dir = await temporaryFolder()
  const json = JSON.parse(await readFile(join(fixtureFolder, 'tokenizer.json'), 'utf8'))
  const lost = json.model.merges.pop() as string | string[]
  await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(json))
  const counter = new FertilityCounter(await Tokenizer.load(dir))
  counter.add({ texts: textBatch(['x']), labels: [{ domain: 'd', language: 'l' }] })
  const token = (typeof lost === 'string' ? lost.split(' ') : lost).join('').replaceAll('Ġ', ' ')
  expect(counter.result().vocabulary.unreachable.map(({ token }) => token)).toEqual([token])
})
