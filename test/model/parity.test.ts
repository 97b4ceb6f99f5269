import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LanguageModel } from '../../src/model/index.ts'
import { configure } from '../../src/tensor/index.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'

// The reference was made with transformers in f32 from SmolLM2-135M-Instruct's Q4_1 file (shared/reference/README.md).
const reference = join(import.meta.dirname, '..', '..', '..', 'shared', 'reference')
const file = process.env.SMOLFORGE_TEST_GGUF
const canRun = file !== undefined && existsSync(file) && existsSync(reference)

/** What is promised of a log-probability, in nats. */
const TOLERANCE = 1e-3

describe.skipIf(!canRun)(
  'SmolLM2-135M-Instruct from its GGUF is the model that transformers runs (needs SMOLFORGE_TEST_GGUF and shared/reference)',
  () => {
    let model: LanguageModel
    beforeAll(async () => {
      configure({ precision: 'f32' })
      model = await LanguageModel.load(file!)
    }, 60_000)
    afterAll(() => model?.llama.free())

    it('the token ids are identical', async () => {
      const tokenizer = await Tokenizer.load(file!)
      const texts = lines<{ text: string; ids: number[] }>('tokens')
      const encoded = tokenizer.encodeBatch(texts.map(({ text }) => text))
      for (const [i, { text, ids }] of texts.entries()) expect([...encoded[i]], text).toEqual(ids)
      report(`${texts.length} texts, identical ids`)
    })

    it('the chat template renders identically', () => {
      for (const { messages, add_generation_prompt, text } of lines<Chat>('chat')) {
        expect(
          model.tokenizer.applyChatTemplate(messages, { addGenerationPrompt: add_generation_prompt }),
        ).toBe(text)
      }
    })

    it('the log-probabilities of tokens and of the 20 best next ones are within 1e-3', () => {
      const texts = lines<Scored>('logits')
      let [token, top] = [0, 0]
      const ours = model.tokenLogProbs(texts.map(({ ids }) => Uint32Array.from(ids)))
      for (const [i, { ids, token_logprobs, top_ids, top_logprobs }] of texts.entries()) {
        expect(ours[i].length).toBe(token_logprobs.length)
        token = Math.max(token, worst(ours[i], token_logprobs))
        const best = model.topTokens(Uint32Array.from(ids), 40)
        const found = top_ids.map((id) => best.logProbs[best.ids.indexOf(id)])
        top = Math.max(top, worst(found, top_logprobs))
      }
      report(
        `${texts.length} texts: largest difference of a token ${token.toExponential(1)} nats, of a top-20 ${top.toExponential(1)}`,
      )
      expect(token).toBeLessThan(TOLERANCE)
      expect(top).toBeLessThan(TOLERANCE)
    }, 120_000)

    it('greedy continuations are identical', () => {
      const prompts = lines<Greedy>('greedy')
      for (const { messages, prompt, prompt_ids, new_ids } of prompts) {
        expect([...model.chatPrompt(messages)], prompt).toEqual(prompt_ids)
        // transformers' list ends with the stop token where there is one.
        const made = [
          ...model.generate(Uint32Array.from(prompt_ids), { maxTokens: 48, temperature: 0, stopIds: [] }),
        ]
        expect(made.slice(0, new_ids.length), prompt).toEqual(new_ids)
      }
      report(`${prompts.length} prompts, identical greedy continuations`)
    }, 180_000)
  },
)

type Message = { role: 'system' | 'user' | 'assistant'; content: string }
interface Chat {
  messages: Message[]
  add_generation_prompt: boolean
  text: string
}
interface Scored {
  ids: number[]
  token_logprobs: number[]
  top_ids: number[]
  top_logprobs: number[]
}
interface Greedy {
  messages: Message[]
  prompt: string
  prompt_ids: number[]
  new_ids: number[]
}

function lines<Line>(name: string): Line[] {
  const text = readFileSync(join(reference, `${name}.jsonl`), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

/** The largest difference; infinite where a value is missing. */
function worst(ours: ArrayLike<number | undefined>, theirs: readonly number[]): number {
  return Math.max(...theirs.map((value, i) => Math.abs(value - (ours[i] ?? Number.POSITIVE_INFINITY))))
}

function report(line: string): void {
  process.stderr.write(`parity: ${line}\n`)
}
