import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Tokenizer, trainTokenizer } from '../../src/tokenizer/index.ts'
import { readTokenizerFile } from '../../src/tokenizer/read.ts'
import { fixtureFolder, jsonLines, oneBatch, temporaryFolder } from './fixtures.ts'

interface Expected {
  text: string
  ids: number[]
  decoded: string
}

const expected = await jsonLines<Expected>(join(fixtureFolder, 'expected.jsonl'))

describe('a tokenizer.json of Hugging Face', () => {
  test('gives the ids that Hugging Face gives, in one batch and text by text', async () => {
    const tokenizer = await Tokenizer.load(fixtureFolder)
    const batch = tokenizer.encodeBatch(expected.map(({ text }) => text))
    for (const [i, { text, ids }] of expected.entries()) {
      expect([...batch[i]], text).toEqual(ids)
      expect([...tokenizer.encode(text)], text).toEqual(ids)
    }
  })

  test('decodes to the text that Hugging Face decodes to, at once and id by id', async () => {
    const tokenizer = await Tokenizer.load(join(fixtureFolder, 'tokenizer.json'))
    for (const { ids, decoded } of expected) {
      expect(tokenizer.decode(ids)).toBe(decoded)
      const stream = tokenizer.streamDecoder()
      expect(ids.map((id) => stream.push(id)).join('') + stream.end()).toBe(decoded)
    }
  })

  test('comes out of training on the same texts, merge by merge', async () => {
    const texts = (await readFile(join(fixtureFolder, 'training.txt'), 'utf8')).split('\n')
    const dir = await temporaryFolder()
    await (await trainTokenizer(oneBatch(texts), { vocabSize: 640 })).save(dir)
    const ours = await readTokenizerFile(join(dir, 'tokenizer.json'))
    expect(ours).toEqual(await readTokenizerFile(join(fixtureFolder, 'tokenizer.json')))
  })

  test('is written back with the same meaning', async () => {
    const dir = await temporaryFolder()
    await (await Tokenizer.load(fixtureFolder)).save(dir)
    const theirs = JSON.parse(await readFile(join(fixtureFolder, 'tokenizer.json'), 'utf8'))
    const ours = JSON.parse(await readFile(join(dir, 'tokenizer.json'), 'utf8'))
    expect(ours.added_tokens).toEqual(theirs.added_tokens)
    expect(ours.pre_tokenizer).toEqual(theirs.pre_tokenizer)
    expect(ours.model.vocab).toEqual(theirs.model.vocab)
    expect(ours.model.merges).toEqual(theirs.model.merges.map((pair: string[]) => pair.join(' ')))
  })
})
