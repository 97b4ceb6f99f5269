import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SmolforgeError } from '../../src/errors.ts'
import { Random } from '../../src/random/random.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { parseTokenizer } from '../../src/tokenizer/read.ts'
import { fixtureFolder, temporaryFolder } from './fixtures.ts'

type Json = { [key: string]: Json } & { [index: number]: Json }

const whole = await readFile(join(fixtureFolder, 'tokenizer.json'), 'utf8')

function changed(change: (json: Json) => void): () => unknown {
  const json = JSON.parse(whole) as Json
  change(json)
  return () => parseTokenizer(json, 'tokenizer.json')
}

describe('a tokenizer that would give other ids here is refused with the part that is not supported', () => {
  const cases: [string, RegExp, (json: Json) => void][] = [
    ['a WordPiece model', /model "WordPiece"/, (json) => Object.assign(json.model, { type: 'WordPiece' })],
    [
      'a normalizer',
      /normalizer Lowercase/,
      (json) =>
        Object.assign(json, { normalizer: { type: 'Sequence', normalizers: [{ type: 'Lowercase' }] } }),
    ],
    ['dropout', /dropout 0.1/, (json) => Object.assign(json.model, { dropout: 0.1 })],
    ['byte fallback', /byte_fallback/, (json) => Object.assign(json.model, { byte_fallback: true })],
    [
      'a prefix',
      /continuing_subword_prefix/,
      (json) => Object.assign(json.model, { continuing_subword_prefix: '##' }),
    ],
    [
      'another splitter',
      /Metaspace/,
      (json) => Object.assign(json, { pre_tokenizer: { type: 'Metaspace' } }),
    ],
    [
      'its own pattern',
      /the pattern of Split/,
      (json) =>
        Object.assign(json.pre_tokenizer.pretokenizers[0], {
          type: 'Split',
          pattern: { Regex: '\\w+' },
          behavior: 'Isolated',
        }),
    ],
    [
      'a known pattern that throws words away',
      /Split with behavior "Removed"/,
      (json) =>
        Object.assign(json.pre_tokenizer.pretokenizers[0], {
          type: 'Split',
          pattern: {
            Regex: "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
          },
          behavior: 'Removed',
        }),
    ],
    [
      'steps after the bytes',
      /after ByteLevel/,
      (json) =>
        Object.assign(json.pre_tokenizer, {
          pretokenizers: Object.values(json.pre_tokenizer.pretokenizers).toReversed(),
        }),
    ],
    [
      'a template without the text',
      /TemplateProcessing/,
      (json) => Object.assign(json, { post_processor: { type: 'TemplateProcessing', single: [] } }),
    ],
    [
      'SentencePiece as Llama 2 has it',
      /normalizer Prepend/,
      (json) =>
        Object.assign(json, {
          normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '\u2581' }] },
          pre_tokenizer: null,
        }),
    ],
    ['no pre-tokenizer', /pre-tokenizer null/, (json) => Object.assign(json, { pre_tokenizer: null })],
    ['words outside bytes', /"漢" is not byte-level/, (json) => Object.assign(json.model.vocab, { 漢: 640 })],
  ]
  test.each(cases)('%s', (_, message, change) => {
    expect(changed(change)).toThrow(message)
    expect(changed(change)).toThrow(SmolforgeError)
  })
})

describe('a malformed file is refused with the place', () => {
  const cases: [string, RegExp, (json: Json) => void][] = [
    ['no model', /no model/, (json) => Reflect.deleteProperty(json, 'model')],
    ['a gap in the ids', /no token has id 100/, (json) => removeId(json, 100)],
    ['a huge id', /leaves gaps/, (json) => Object.assign(json.model.vocab, { Ġthe: 2 ** 30 })],
    ['two tokens with one id', /stands for both/, (json) => Object.assign(json.model.vocab, { '!': 18 })],
    [
      'an id that is no number',
      /the id of "!" is "x"/,
      (json) => Object.assign(json.model.vocab, { '!': 'x' }),
    ],
    [
      'a merge of unknown tokens',
      /"zzz" is not in the vocabulary/,
      (json) => Object.assign(json.model.merges, ['zzz a']),
    ],
    ['a merge of three', /no pair/, (json) => Object.assign(json.model.merges, ['a b c'])],
    [
      'an added token without content',
      /needs an id and a content/,
      (json) => Object.assign(json.added_tokens[0], { content: '' }),
    ],
    [
      'a token twice',
      /there twice/,
      (json) => Object.assign(json.added_tokens[0], { content: '<|im_end|>' }),
    ],
  ]
  test.each(cases)('%s', (_, message, change) => {
    expect(changed(change)).toThrow(message)
  })

  test('no JSON, an empty folder, a broken configuration', async () => {
    const dir = await temporaryFolder()
    await expect(Tokenizer.load(join(dir, 'nowhere'))).rejects.toMatchObject({ code: 'input' })
    await expect(Tokenizer.load(dir)).rejects.toMatchObject({ place: { file: join(dir, 'tokenizer.json') } })
    await writeFile(join(dir, 'tokenizer.json'), whole.slice(0, 5000))
    await expect(Tokenizer.load(dir)).rejects.toMatchObject({ code: 'input', message: 'Not a JSON file' })
    await writeFile(join(dir, 'tokenizer.json'), whole)
    await writeFile(join(dir, 'tokenizer_config.json'), '[]')
    await expect(Tokenizer.load(dir)).rejects.toThrow(/configuration is no object/)
    await writeFile(join(dir, 'tokenizer_config.json'), '{"chat_template": 7}')
    await expect(Tokenizer.load(dir)).rejects.toThrow(/chat template is neither/)
  })

  test('random damage gives an error of ours or a tokenizer that works, never a crash', () => {
    const random = new Random('damage')
    const values = [null, true, -1, 1e99, 0.5, '', 'x', [], {}, [[]], '\ud800', 3]
    for (let round = 0; round < 600; round++) {
      const json = JSON.parse(whole) as Json
      for (let n = random.between(1, 3); n > 0; n--) damage(json, random, values)
      try {
        const tokenizer = new Tokenizer(parseTokenizer(JSON.parse(JSON.stringify(json)), 'f'), {})
        const ids = tokenizer.encode("The cat's <|im_end|> 漢字 12")
        expect(ids.every((id) => id < tokenizer.vocabSize)).toBe(true)
        tokenizer.decode(ids)
      } catch (error) {
        if (!(error instanceof SmolforgeError)) throw error
      }
    }
  })
})

/** Puts a wrong value at a random place, or takes one away. */
function damage(root: Json, random: Random, values: readonly unknown[]): void {
  let at: Json = root
  while (true) {
    const keys = Object.keys(at)
    if (keys.length === 0) return
    const key = random.pick(keys)
    const child: unknown = at[key]
    if (typeof child === 'object' && child !== null && random.int(6) > 0) {
      at = child as Json
      continue
    }
    if (random.int(3) === 0) Reflect.deleteProperty(at, key)
    else Reflect.set(at, key, random.pick(values))
    return
  }
}

function removeId(json: Json, id: number): void {
  const entry = Object.entries(json.model.vocab).find(([, value]) => (value as unknown) === id)!
  Reflect.deleteProperty(json.model.vocab, entry[0])
}
