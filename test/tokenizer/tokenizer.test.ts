import { existsSync } from 'node:fs'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  type ChatMessage,
  smolLM2SystemPrompt,
  smolSpecialTokens,
  Tokenizer,
} from '../../src/tokenizer/index.ts'
import { fixtureFolder, jsonLines, sharedReference, temporaryFolder } from './fixtures.ts'

const tokenizer = await Tokenizer.load(fixtureFolder)
const conversation: ChatMessage[] = [
  { role: 'user', content: "What's 1+1?" },
  { role: 'assistant', content: '2' },
]

describe('text and ids', () => {
  test('the special tokens of SmolLM2 have the first ids, in its order', () => {
    expect([...tokenizer.specialTokens]).toEqual(smolSpecialTokens.map((token, id) => [token, id]))
    expect(tokenizer.endOfTextId).toBe(0)
    expect(tokenizer.vocabSize).toBe(640)
  })

  test('many texts on all threads get the ids that each gets alone', () => {
    const texts = Array.from({ length: 5000 }, (_, i) => `Text ${i}: ${'näher <|im_end|> '.repeat(i % 7)}`)
    const batch = tokenizer.encodeBatch(texts)
    for (const i of [0, 1, 6, 2499, 4999]) expect([...batch[i]]).toEqual([...tokenizer.encode(texts[i])])
    expect(batch.map((ids) => tokenizer.decode(ids))).toEqual(texts)
    expect(tokenizer.encodeBatch([])).toEqual([])
    expect(tokenizer.encodeBatch(['', 'a', ''])).toEqual(
      [[], [...tokenizer.encode('a')], []].map((ids) => Uint32Array.from(ids)),
    )
  })

  test('a lone surrogate becomes the replacement character and harms no neighbour', () => {
    const batch = tokenizer.encodeBatch(['a\ud83d', '\ude00b'])
    expect(batch.map((ids) => tokenizer.decode(ids))).toEqual(['a\ufffd', '\ufffdb'])
  })

  test('a byte order mark is text', () => {
    expect(tokenizer.decode(tokenizer.encode('\ufeffa'))).toBe('\ufeffa')
  })

  test('a stream never shows half a character, and shows broken ones at the end', () => {
    const stream = tokenizer.streamDecoder()
    const bytes = [...Buffer.from('é漢')].map((byte) => {
      const id = Array.from({ length: 273 }, (_, i) => i).find(
        (i) => i >= 17 && tokenizer.tokenBytes(i)[0] === byte,
      )
      return id!
    })
    expect(bytes.map((id) => stream.push(id))).toEqual(['', 'é', '', '', '漢'])
    expect(stream.push(bytes[0])).toBe('')
    expect(stream.end()).toBe('\ufffd')
  })

  test('ids outside the vocabulary are refused with their number', () => {
    expect(() => tokenizer.decode([1, 640])).toThrow(/640 is outside the vocabulary of 640/)
    expect(() => tokenizer.tokenBytes(-1)).toThrow(/-1 is outside/)
    expect(() => tokenizer.streamDecoder().push(9999)).toThrow(/9999/)
  })
})

describe('chat', () => {
  test('ChatML is rendered without a system turn of our own', () => {
    expect(tokenizer.applyChatTemplate(conversation, { addGenerationPrompt: true })).toBe(
      "<|im_start|>user\nWhat's 1+1?<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n<|im_start|>assistant\n",
    )
  })

  test('a default system turn is put in only where there is none', () => {
    const chat = tokenizer.forChat({ systemPrompt: "It's\nme \\ {{ x }}" })
    expect(chat.applyChatTemplate(conversation)).toContain(
      "<|im_start|>system\nIt's\nme \\ {{ x }}<|im_end|>\n<|im_start|>user",
    )
    const own: ChatMessage[] = [{ role: 'system', content: 'S' }, ...conversation]
    expect(chat.applyChatTemplate(own)).toMatch(/^<\|im_start\|>system\nS<\|im_end\|>\n<\|im_start\|>user/)
  })

  test('an answer of a chat model ends with <|im_end|>, a text of a base model with <|endoftext|>, saved and loaded', async () => {
    const dir = await temporaryFolder()
    const chat = tokenizer.forChat({ systemPrompt: 'Be brief.' })
    expect([tokenizer.eosTokenId, chat.eosTokenId, chat.endOfTextId]).toEqual([0, 2, 0])
    await chat.save(dir)
    const loaded = await Tokenizer.load(dir)
    expect([loaded.eosTokenId, loaded.endOfTextId]).toEqual([2, 0])
    expect(loaded.chatTemplate).toBe(chat.chatTemplate)
    expect([...loaded.encode('abc<|im_end|> 12')]).toEqual([...tokenizer.encode('abc<|im_end|> 12')])
    const map = JSON.parse(await readFile(join(dir, 'special_tokens_map.json'), 'utf8'))
    expect(map).toMatchObject({ bos_token: '<|im_start|>', eos_token: '<|im_end|>', pad_token: '<|im_end|>' })
  })

  test('any template of the file is used, and fields we do not know stay', async () => {
    const dir = await temporaryFolder()
    await copyFile(join(fixtureFolder, 'tokenizer.json'), join(dir, 'tokenizer.json'))
    const template =
      '{{ bos_token }}{% for m in messages %}[{{ m.role | upper }}] {{ m.content | trim }}\n{% endfor %}'
    const configuration = {
      bos_token: { content: '<|im_start|>' },
      chat_template: [{ name: 'default', template }],
      model_max_length: 77,
    }
    await writeFile(join(dir, 'tokenizer_config.json'), JSON.stringify(configuration))
    const loaded = await Tokenizer.load(dir)
    expect(loaded.applyChatTemplate([{ role: 'user', content: ' Hi ' }])).toBe('<|im_start|>[USER] Hi\n')
    await loaded.save(join(dir, 'again'))
    const again = JSON.parse(await readFile(join(dir, 'again', 'tokenizer_config.json'), 'utf8'))
    expect(again.model_max_length).toBe(77)
    expect((await Tokenizer.load(join(dir, 'again'))).chatTemplate).toBe(template)

    await writeFile(join(dir, 'chat_template.jinja'), '{{ messages | length }}')
    expect((await Tokenizer.load(dir)).applyChatTemplate(conversation)).toBe('2')
    await writeFile(join(dir, 'chat_template.jinja'), '{% for %}')
    const broken = await Tokenizer.load(dir)
    expect(() => broken.applyChatTemplate(conversation)).toThrow(/chat template cannot be rendered/)
  })

  test.skipIf(!existsSync(sharedReference))(
    'conversations are rendered as SmolLM2-Instruct renders them',
    async () => {
      const chat = tokenizer.forChat({ systemPrompt: smolLM2SystemPrompt })
      type Line = { messages: ChatMessage[]; add_generation_prompt: boolean; text: string }
      for (const line of await jsonLines<Line>(join(sharedReference, 'chat.jsonl'))) {
        const options = { addGenerationPrompt: line.add_generation_prompt }
        expect(chat.applyChatTemplate(line.messages, options)).toBe(line.text)
      }
    },
  )
})
