import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { headDim, KeyValueCache, LanguageModel, LoraAdapter } from '../../src/model/index.ts'
import { sampleToken, topIds } from '../../src/model/sampling.ts'
import { scoreSequences } from '../../src/model/scoring.ts'
import { sharedPrefixes } from '../../src/model/sharedPrefix.ts'
import { Random } from '../../src/random/random.ts'
import { configure, engineMemory, inference, tensor } from '../../src/tensor/index.ts'
import { logSoftmax, slowLogits } from './slowLlama.ts'
import { tinyLlama, tinyTokenizer } from './tiny.ts'

let model: LanguageModel
beforeAll(async () => {
  model = new LanguageModel(tinyLlama(), await tinyTokenizer())
})
afterAll(() => model.llama.free())

const sequence = (length: number, seed: number) => {
  const random = new Random(seed)
  return Uint32Array.from({ length }, () => random.int(300))
}

describe('scores do not depend on what else is in the batch', () => {
  it('log-probabilities are those of the slow reference, alone or together, in any order', () => {
    const sequences = [12, 3, 40, 1, 0, 2, 64, 12].map(sequence)
    const together = model.tokenLogProbs(sequences)
    expect(together.map((scores) => scores.length)).toEqual([11, 2, 39, 0, 0, 1, 63, 11])
    for (const [i, ids] of sequences.entries()) {
      const [alone] = model.tokenLogProbs([ids])
      const rows = slowLogits(model.llama, ids).map(logSoftmax)
      for (const [t, score] of together[i].entries()) {
        expect(Math.abs(score - alone[t])).toBeLessThan(1e-5)
        expect(Math.abs(score - rows[t][ids[t + 1]])).toBeLessThan(1e-4)
      }
    }
  })

  it('to the bit, in both precisions: an evaluation says the same however it is cut into batches', () => {
    const long = new LanguageModel(tinyLlama({ maxPositionEmbeddings: 256 }), model.tokenizer)
    const sequences = [40, 10, 201, 2, 64, 33, 12, 9, 97, 65, 5].map(sequence)
    const lines = sequences.map((ids) => ({ ids, from: ids.length - 1 }))
    try {
      for (const precision of ['f32', 'bf16'] as const) {
        configure({ precision })
        const together = long.tokenLogProbs(sequences)
        const lasts = scoreSequences(long.llama, lines)
        for (const [i, ids] of sequences.entries()) {
          expect(long.tokenLogProbs([ids])[0]).toEqual(together[i])
          expect(scoreSequences(long.llama, [lines[i]])[0]).toEqual(lasts[i])
          expect(lasts[i]).toEqual(together[i].subarray(-1))
        }
      }
    } finally {
      configure({ precision: 'f32' })
      long.llama.free()
    }
  })

  it('with an adapter beside the weights too', () => {
    const adapter = LoraAdapter.create(model.llama.config, { rank: 2 }, 1)
    for (const each of adapter.parameters.values()) each.write(each.read().map((_, i) => Math.sin(i) / 4))
    const adapted = new LanguageModel(model.llama.withAdapter(adapter), model.tokenizer)
    const sequences = [12, 40, 3, 64].map(sequence)
    for (const [i, scores] of adapted.tokenLogProbs(sequences).entries()) {
      const [alone] = adapted.tokenLogProbs([sequences[i]])
      const [plain] = model.tokenLogProbs([sequences[i]])
      for (const [t, score] of scores.entries()) expect(Math.abs(score - alone[t])).toBeLessThan(1e-5)
      expect(scores).not.toEqual(plain)
    }
    adapter.free()
  })

  it('a continuation is scored by its own tokens alone', () => {
    const [first, empty, spaced] = model.logLikelihoods([
      { context: 'the sea', continuation: ' is wet' },
      { context: '', continuation: 'the sea' },
      { context: 'the sea ', continuation: 'is wet' },
    ])
    const context = model.tokenizer.encode('the sea')
    const whole = model.tokenizer.encode('the sea is wet')
    const [scores] = model.tokenLogProbs([whole])
    const expected = scores.subarray(context.length - 1).reduce((a, b) => a + b, 0)
    expect(first.sum).toBeCloseTo(expected, 4)
    expect(first.tokens).toBe(whole.length - context.length)
    expect(spaced).toEqual(first)
    const [withStart] = model.tokenLogProbs([Uint32Array.of(0, ...context)])
    expect(empty.sum).toBeCloseTo(
      withStart.reduce((a, b) => a + b, 0),
      4,
    )
  })

  it('choices after one context, which goes through the model once, get what they get alone', () => {
    const contexts = [
      'the river and the sea are water, the water is wet. What is a sea?',
      'the sea and the river 7 are water',
      'a',
    ]
    const choices = [' the water', ' wet', '', ' a river and a sea is what the water is', ' sea']
    const items = contexts.flatMap((context) => choices.map((continuation) => ({ context, continuation })))
    items.splice(7, 0, { context: 'is a', continuation: ' sea' })
    const together = model.logLikelihoods(items)
    for (const [i, item] of items.entries()) {
      const [alone] = model.logLikelihoods([item])
      expect(together[i].tokens).toBe(alone.tokens)
      expect(Math.abs(together[i].sum - alone.sum)).toBeLessThan(1e-4)
    }
  })

  it('neighbours share what comes before their first scored token, and no more', () => {
    const row = (from: number, ...ids: number[]) => ({ ids: Uint32Array.from(ids), from })
    const context = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    const groups = sharedPrefixes([
      row(10, ...context, 11, 12),
      row(10, ...context, 13),
      row(10, ...context.slice(0, 8), 99, 10, 13),
      row(3, 1, 2, 3, 4),
      row(1, ...context, 11),
    ])
    expect(groups.map(({ length, members }) => [length, members.length])).toEqual([
      [8, 3],
      [0, 1],
      [0, 1],
    ])
  })

  it('a text longer than the positions is refused; of a long context the end is kept', () => {
    expect(() => model.tokenLogProbs([sequence(66, 1)])).toThrow('66 tokens, the model reads at most 64')
    expect(() => model.tokenLogProbs([Uint32Array.of(1, 400)])).toThrow('outside of the vocabulary')
    const [long] = model.logLikelihoods([{ context: 'the sea '.repeat(80), continuation: 'is wet' }])
    expect(Number.isFinite(long.sum)).toBe(true)
  })
})

describe('generation', () => {
  const prompt = Uint32Array.of(20, 30, 40, 50, 60)
  const take = (options: Partial<Parameters<LanguageModel['generate']>[1]> = {}) => [
    ...model.generate(prompt, { maxTokens: 20, temperature: 0, stopIds: [], ...options }),
  ]

  it('with the cache takes the tokens that are the most likely without it', () => {
    const ids = [...prompt]
    for (let i = 0; i < 20; i++) ids.push(model.topTokens(Uint32Array.from(ids), 1).ids[0])
    expect(take()).toEqual(ids.slice(prompt.length))
  })

  it('is the same for the same seed and differs for another', () => {
    const sampled = take({ temperature: 1, seed: 5 })
    expect(take({ temperature: 1, seed: 5 })).toEqual(sampled)
    expect(take({ temperature: 1, seed: 6 })).not.toEqual(sampled)
    expect(take({ temperature: 1, seed: 5, topK: 1 })).toEqual(take())
    expect(take({ temperature: 1, seed: 5, topP: 1e-9 })).toEqual(take())
  })

  it('ends before a stop token, at the last position, and on demand', () => {
    const greedy = take()
    expect(take({ stopIds: [greedy[7]] })).toEqual(greedy.slice(0, greedy.indexOf(greedy[7])))
    expect(take({ maxTokens: 1000 }).length).toBe(60)
    expect(take({ maxTokens: 0 })).toEqual([])
    for (const id of model.generate(prompt, { maxTokens: 5, temperature: 0, stopIds: [] })) {
      expect(id).toBe(greedy[0])
      break
    }
    expect(() => [...model.generate(sequence(65, 1), { maxTokens: 1, temperature: 0 })]).toThrow('at most 64')
  })

  it('answers a conversation as text', () => {
    const messages = [{ role: 'user' as const, content: 'What is a sea?' }]
    const ids = model.chatPrompt(messages)
    expect(model.tokenizer.decode(ids)).toContain('What is a sea?<|im_end|>\n<|im_start|>assistant\n')
    const options = { maxTokens: 10, temperature: 0 }
    const expected = [...model.generate(ids, { ...options, stopIds: model.answerStopIds })]
    const decoder = model.tokenizer.streamDecoder()
    const text = expected.map((id) => decoder.push(id)).join('') + decoder.end()
    expect([...model.chat(messages, options)].join('')).toBe(text)
  })

  it('samples each token as often as the model says', () => {
    const logits = Float32Array.from([1, 3, 2, -1, 3])
    const probabilities = logSoftmax([...logits]).map(Math.exp)
    const random = new Random(3)
    const counts = [0, 0, 0, 0, 0]
    for (let i = 0; i < 20_000; i++) counts[sampleToken(logits, { temperature: 1 }, random)]++
    for (const [i, p] of probabilities.entries()) expect(counts[i] / 20_000).toBeCloseTo(p, 1)
    expect(topIds(logits, 3)).toEqual([1, 4, 2])
    const nucleus = new Set(
      Array.from({ length: 500 }, () => sampleToken(logits, { temperature: 1, topP: 0.5 }, random)),
    )
    expect(nucleus).toEqual(new Set([1, 4]))
  })

  it('leaves out what is unlikely beside the likeliest, and what was said', () => {
    const logits = Float32Array.from([3, 1, 2.9, -1, 0])
    const random = new Random(3)
    const often = (options: object, seen: number[] = []) =>
      new Set(
        Array.from({ length: 300 }, () => sampleToken(logits, { temperature: 1, ...options }, random, seen)),
      )
    expect(often({ minP: 0.5 })).toEqual(new Set([0, 2]))
    expect(often({ minP: 1, topP: 0.99 })).toEqual(new Set([0]))
    // 3 / 2 = 1.5, and -1 * 2 = -2: less likely than before whatever the sign.
    const greedy = { temperature: 0, repetitionPenalty: 2 }
    expect(sampleToken(logits, greedy, random, [0])).toBe(2)
    expect(sampleToken(Float32Array.from([-1, -1.5]), greedy, random, [0])).toBe(1)
  })

  it('continues several prompts at once as each alone', () => {
    const prompts = [prompt, Uint32Array.of(7, 8), sequence(40, 3)]
    const options = { maxTokens: 30, temperature: 0.8, seed: 4, stopIds: [5], topLogProbs: 2 }
    const together: number[][] = prompts.map(() => [])
    for (const { prompt, id, logProb, top } of model.generateTokens(prompts, options)) {
      together[prompt].push(id)
      expect(logProb).toBeLessThanOrEqual(top!.logProbs[0]!)
      expect(top!.ids).toHaveLength(2)
    }
    expect(together).toEqual(prompts.map((ids) => [...model.generate(ids, options)]))
    expect(together[2]!.length).toBeLessThanOrEqual(25)
  })

  it('ends before a stop string', () => {
    const options = { maxTokens: 20, temperature: 0, stopIds: [] }
    const text = [...model.generateText(prompt, options)].join('')
    const stop = text.slice(5, 8)
    expect([...model.generateText(prompt, { ...options, stop: [stop] })].join('')).toBe(
      text.slice(0, text.indexOf(stop)),
    )
  })

  it('complete gives the tokens, the text before a stop string and log-probabilities', () => {
    const prompt = sequence(10, 3)
    const options = { maxTokens: 12, temperature: 0, stopIds: [] }
    const whole = model.complete(prompt, options)
    expect(whole.tokens.map(({ id }) => id)).toEqual([...model.generate(prompt, options)])
    expect(whole.text).toBe([...model.generateText(prompt, options)].join(''))
    expect(whole.tokens[0]?.logProb).toBeUndefined()
    const stop = whole.text.slice(3, 5)
    const ended = model.complete(prompt, { ...options, stop: [stop], topLogProbs: 2 })
    expect(ended.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)))
    expect(ended.tokens.length).toBeLessThanOrEqual(whole.tokens.length)
    for (const { id, logProb, top } of ended.tokens) {
      expect(top?.ids[0]).toBe(id)
      expect(top?.logProbs[0]).toBeCloseTo(logProb as number, 5)
    }
  })

  it.each([
    ['f32', 4, 5e-5],
    ['bf16', 2, 0.05],
  ] as const)(
    'does not depend on when its memory grows, in %s of %d bytes',
    (precision, bytes, tolerance) => {
      onTestFinished(() => void configure({ precision: 'f32' }))
      configure({ precision })
      const long = new LanguageModel(tinyLlama({ maxPositionEmbeddings: 600 }), model.tokenizer)
      const cache = new KeyValueCache(long.llama.config, 600)
      const ids = sequence(300, 2)
      const last = (hidden: Float32Array) => hidden.slice(-32)
      const pass = (from: number, to: number) => {
        cache.reserve(to - from)
        return inference(() => {
          const tokens = tensor(Int32Array.from(ids.subarray(from, to)), [1, to - from])
          const sequences = [{ length: to - from, cache }]
          return last(long.llama.hidden(tokens, { sequences }).read() as Float32Array)
        })
      }
      const before = engineMemory().persistentBytes
      pass(0, 3)
      const { numHiddenLayers, numKeyValueHeads } = long.llama.config
      const values = 256 * 2 * numHiddenLayers * numKeyValueHeads * headDim(long.llama.config)
      expect(engineMemory().persistentBytes - before).toBe(values * bytes)
      pass(3, 250)
      const grown = pass(250, 300)
      const whole = inference(() => {
        const tokens = tensor(Int32Array.from(ids), [1, 300])
        return last(long.llama.hidden(tokens).read() as Float32Array)
      })
      for (const [i, x] of grown.entries()) expect(Math.abs(x - whole[i]!)).toBeLessThan(tolerance)
      expect(() => cache.reserve(301)).toThrow('room for 600')
      cache.free()
    },
  )
})
