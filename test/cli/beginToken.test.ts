import { spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bitsPerByte, complete } from '../../src/eval/index.ts'
import { LanguageModel } from '../../src/model/index.ts'
import { parseCompletion } from '../../src/serve/requests.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { tinyLlama } from '../model/tiny.ts'
import { jsonLines, root, scratchFolder, smolforge } from '../recipe/child.ts'

const scratch = await scratchFolder()
const TEXT = 'the sea is wet, and so is the river'
const kinds = join(root, 'test/fixtures/tokenizer/kinds')

/** A model folder with a tokenizer of a kind, as the hub has them. */
async function folderOf(kind: string, configuration: object): Promise<LanguageModel> {
  const tokenizer = await Tokenizer.load(join(kinds, `${kind}.json`))
  const folder = join(scratch, kind)
  await tinyLlama({ vocabSize: tokenizer.vocabSize }).save(folder, tokenizer)
  await writeFile(join(folder, 'tokenizer.json'), await readFile(join(kinds, `${kind}.json`)))
  const whole = { tokenizer_class: 'PreTrainedTokenizerFast', eos_token: '<|endoftext|>', ...configuration }
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(whole))
  return LanguageModel.load(folder)
}

let model: LanguageModel
let plain: LanguageModel
let begin: number
beforeAll(async () => {
  await mkdir(scratch, { recursive: true })
  const template =
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}<|im_start|>"
  model = await folderOf('llama3', { bos_token: '<|begin_of_text|>', chat_template: template })
  // As transformers 5 has it beside a tokenizer.json: `add_bos_token` adds nothing.
  plain = await folderOf('gpt2', { bos_token: '<|endoftext|>', add_bos_token: true })
  begin = model.tokenizer.tokenId('<|begin_of_text|>')!
})
afterAll(() => {
  model.llama.free()
  plain.llama.free()
})

const sumOf = (values: Float32Array) => values.reduce((a, b) => a + b, 0)

describe('the begin token of a tokenizer of Llama 3’s kind', () => {
  test('is what the first token of a held-out document is predicted from', async () => {
    const ids = model.tokenizer.encode(TEXT)
    const [scores] = model.tokenLogProbs([Uint32Array.of(begin, ...ids)])
    const { value, tokens } = await bitsPerByte(model, [{ text: TEXT }])
    expect(tokens).toBe(ids.length)
    expect(value).toBeCloseTo(-sumOf(scores) / Math.LN2 / TEXT.length, 5)
    const end = plain.tokenizer.endOfTextId
    const [without] = plain.tokenLogProbs([Uint32Array.of(end, ...plain.tokenizer.encode(TEXT))])
    const other = await bitsPerByte(plain, [{ text: TEXT }])
    expect(other.value).toBeCloseTo(-sumOf(without) / Math.LN2 / TEXT.length, 5)
  })

  test('stands before the context of a choice, but not before a conversation', () => {
    const pair = { context: 'the sea', continuation: ' is wet' }
    const [asked, chat, alone] = model.logLikelihoods([
      pair,
      { ...pair, chat: true },
      { context: '', continuation: 'the sea is wet' },
    ])
    const whole = model.tokenizer.encode('the sea is wet')
    const from = model.tokenizer.encode('the sea').length
    const [withBegin] = model.tokenLogProbs([Uint32Array.of(begin, ...whole)])
    const [without] = model.tokenLogProbs([whole])
    expect(asked.sum).toBeCloseTo(sumOf(withBegin.subarray(from)), 4)
    expect(chat.sum).toBeCloseTo(sumOf(without.subarray(from - 1)), 4)
    expect(asked.sum).not.toBeCloseTo(chat.sum, 2)
    expect(alone).toMatchObject({ tokens: whole.length })
    expect(alone.sum).toBeCloseTo(sumOf(withBegin), 4)
  })

  test('stands before a prompt that is completed, also before one that is too long', () => {
    for (const prompt of ['the sea', 'the sea '.repeat(60)]) {
      const ids = model.tokenizer.encode(prompt).slice(-(64 - 8 - 1))
      const expected = [...model.generate(Uint32Array.of(begin, ...ids), { maxTokens: 8, temperature: 0 })]
      const { tokens, completion } = complete(model, prompt, { maxTokens: 8 })
      expect(completion).toBe(model.tokenizer.decode(expected))
      expect(tokens).toBe(expected.length)
    }
    const { promptIds } = parseCompletion(model, { model: 'm', prompt: 'the sea' })
    expect([...promptIds]).toEqual([begin, ...model.tokenizer.encode('the sea')])
  })

  test('is in what smolforge score and generate say they read, once, and for GPT-2 it is not', async () => {
    const { tokenizer } = model
    const prompts = [{ prompt: TEXT }, { messages: [{ role: 'user', content: 'sea?' }] }]
    await writeFile(join(scratch, 'texts.jsonl'), `${JSON.stringify({ text: TEXT })}\n`)
    await writeFile(join(scratch, 'prompts.jsonl'), prompts.map((one) => `${JSON.stringify(one)}\n`).join(''))
    const [scored] = await answers('llama3', 'score', 'texts.jsonl')
    const [scores] = model.tokenLogProbs([Uint32Array.of(begin, ...tokenizer.encode(TEXT))])
    expect(scored.ids).toEqual([begin, ...tokenizer.encode(TEXT)])
    expect(scored.token_logprobs).toEqual([...scores].map((score) => expect.closeTo(score, 4)))
    const [prompted, chatted] = await answers('llama3', 'generate', 'prompts.jsonl')
    expect(prompted.prompt_ids).toEqual([begin, ...tokenizer.encode(TEXT)])
    expect((chatted.prompt_ids as number[]).filter((id) => id === begin)).toEqual([begin])
    const [other] = await answers('gpt2', 'score', 'texts.jsonl')
    expect(other.ids).toEqual([...plain.tokenizer.encode(TEXT)])
  })
})

const python = process.env.SMOLFORGE_TEST_PYTHON
const canRun = python !== undefined && spawnSync(python, ['-c', 'import torch, transformers']).status === 0
test.skipIf(!canRun)(
  'transformers reads, scores and continues the same ids (needs SMOLFORGE_TEST_PYTHON with transformers)',
  async () => {
    const program = [
      'import sys, json, torch, transformers',
      'dir, text = sys.argv[1:]',
      'model = transformers.AutoModelForCausalLM.from_pretrained(dir, dtype=torch.float32)',
      'tokenizer = transformers.AutoTokenizer.from_pretrained(dir)',
      'ids = tokenizer(text, return_tensors="pt").input_ids',
      'logp = model(ids).logits.log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]',
      'new = model.generate(ids, max_new_tokens=8, do_sample=False, eos_token_id=None, pad_token_id=0)',
      'chat = tokenizer.apply_chat_template([{"role": "user", "content": "sea?"}], return_dict=False) if tokenizer.chat_template else None',
      'print(json.dumps({"ids": ids[0].tolist(), "logp": logp.tolist(), "new": new[0, ids.shape[1]:].tolist(), "chat": chat}))',
    ].join('\n')
    for (const kind of ['llama3', 'gpt2']) {
      const run = spawnSync(python!, ['-c', program, join(scratch, kind), TEXT], { encoding: 'utf8' })
      const theirs = JSON.parse(run.stdout || `"${run.stderr}"`)
      const [scored] = await answers(kind, 'score', 'texts.jsonl')
      expect(scored.ids).toEqual(theirs.ids)
      expect(scored.token_logprobs).toEqual(theirs.logp.map((one: number) => expect.closeTo(one, 3)))
      const [prompted, chatted] = await answers(kind, 'generate', 'prompts.jsonl')
      expect(prompted.new_ids).toEqual(theirs.new)
      if (theirs.chat !== null) expect(chatted.prompt_ids).toEqual(theirs.chat)
    }
  },
  120_000,
)

async function answers(kind: string, command: string, input: string): Promise<Record<string, unknown>[]> {
  const files = [command === 'score' ? '--input' : '--prompts', input, '--output', `${kind}-${command}.jsonl`]
  const more = command === 'score' ? [] : ['--max-tokens', '8']
  const result = await smolforge([command, '--model', kind, ...files, ...more], { cwd: scratch })
  expect(result.stderr).toBe('')
  return jsonLines(await readFile(join(scratch, `${kind}-${command}.jsonl`), 'utf8'))
}
