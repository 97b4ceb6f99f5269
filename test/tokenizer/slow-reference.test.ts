import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Random } from '../../src/random/random.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { readTokenizerFile } from '../../src/tokenizer/read.ts'
import { fixtureFolder } from './fixtures.ts'
import { slowEncode } from './slow-reference.ts'

const vocabulary = await readTokenizerFile(join(fixtureFolder, 'tokenizer.json'))

// Blocks that have not changed for many versions of Unicode: Node's tables and ours may be of different ones.
const blocks: readonly [number, number][] = [
  [0x00, 0x7f],
  [0x20, 0x7e],
  [0x20, 0x7e],
  [0x80, 0x24f],
  [0x300, 0x36f],
  [0x400, 0x45f],
  [0x660, 0x669],
  [0x905, 0x939],
  [0x2000, 0x206f],
  [0x2150, 0x2182],
  [0x2460, 0x24ff],
  [0x3000, 0x30ff],
  [0x4e00, 0x4fff],
  [0xac00, 0xacff],
  [0x1f600, 0x1f64f],
  [0x1d7ce, 0x1d7ff],
]
const phrases = [
  "'s",
  "'ll",
  "'D",
  '  ',
  ' \n',
  '\r\n',
  '<|im_end|>',
  '<|im_',
  'the ',
  'return',
  '====',
  '\u200d',
  '\ufeff',
]

function randomText(random: Random): string {
  const own = Array.from({ length: 1 + random.int(4) }, () => random.pick(blocks))
  return Array.from({ length: random.int(60) }, () => {
    if (random.int(5) === 0) return random.pick(phrases)
    const [low, high] = random.pick(own)
    return String.fromCodePoint(random.between(low, high))
  }).join('')
}

test('random Unicode is encoded as the definition says, and comes back whole', async () => {
  const random = new Random('slow reference')
  const tokenizer = new Tokenizer(vocabulary, {})
  const texts = Array.from({ length: 4000 }, () => randomText(random))
  const encoded = tokenizer.encodeBatch(texts)
  for (const [i, text] of texts.entries()) {
    expect([...encoded[i]], JSON.stringify(text)).toEqual(slowEncode(vocabulary, text))
    expect(tokenizer.decode(encoded[i])).toBe(text)
  }
})

test('words of thousands of characters are merged in the same order', () => {
  const random = new Random('long words')
  const tokenizer = new Tokenizer(vocabulary, {})
  for (const length of [95, 96, 97, 500, 3000]) {
    for (const letters of ['a', 'the', 'ainrt', 'étéü']) {
      const text = Array.from({ length }, () => random.pick([...letters])).join('')
      expect([...tokenizer.encode(text)]).toEqual(slowEncode(vocabulary, text))
    }
  }
})
