import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { countTargets, LanguageModel, LoraAdapter, mergeAdapter, modelHash } from '../../src/model/index.ts'
import { Random } from '../../src/random/random.ts'
import { configure, engineMemory, inference, step } from '../../src/tensor/index.ts'
import type { ChatMessage, Tokenizer } from '../../src/tokenizer/index.ts'
import { encodeConversations } from '../../src/train/conversation.ts'
import { dpoLoss, dpoStep, encodePairs } from '../../src/train/dpo.ts'
import { EpochPlan } from '../../src/train/epochs.ts'
import { dpo, Optimizer, pretrain, sft, type TrainMetrics } from '../../src/train/index.ts'
import { batchOfRows, packRows } from '../../src/train/packing.ts'
import { accumulateLoss } from '../../src/train/pretrain.ts'
import { tinyLlama, tinyTokenizer } from '../model/tiny.ts'
import { PatternSource } from './source.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'learning-'))
})
afterEach(() => rm(folder, { recursive: true }))

const user = (content: string): ChatMessage => ({ role: 'user', content })
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content })

describe('pretraining learns', () => {
  for (const kind of ['adamw', 'muon'] as const) {
    it(`a small pattern by heart with ${kind}, and writes what happened`, async () => {
      const llama = tinyLlama()
      const seen: TrainMetrics[] = []
      const heldOut: number[] = []
      const progress: number[] = []
      const result = await pretrain({
        llama,
        sampler: new PatternSource(1),
        optimizer: { kind, learningRate: 0.01 },
        schedule: { kind: 'wsd', warmupSteps: 10, decayFraction: 0.2 },
        totalSteps: 120,
        metricsFile: join(folder, 'metrics.jsonl'),
        heldOut: {
          everySteps: 50,
          file: join(folder, 'heldout.jsonl'),
          evaluate: () => {
            heldOut.push(seen.length)
            // As `heldOutScores` gives them: with a count of tokens that is not the training's.
            const score = { domain: 'pattern', bitsPerByte: 1 / seen.length, tokens: 7 }
            return [score]
          },
        },
        onMetrics: (metrics) => seen.push(metrics),
        onProgress: ({ done }) => progress.push(done),
      })
      expect(seen[0].loss).toBeGreaterThan(4)
      expect(result.loss).toBeLessThan(0.3)
      expect(result).toMatchObject({ step: 120, tokens: 120 * 64, warnings: [] })
      const lines = (await readFile(join(folder, 'metrics.jsonl'), 'utf8')).trim().split('\n')
      expect(lines.map((line) => JSON.parse(line))).toEqual(seen)
      expect(seen[4].learningRate).toBeCloseTo(0.005)
      expect(heldOut).toEqual([50, 100, 120])
      const heldOutLines = (await readFile(join(folder, 'heldout.jsonl'), 'utf8')).trim().split('\n')
      expect(JSON.parse(heldOutLines[1])).toEqual({
        step: 100,
        tokens: 6400,
        domain: 'pattern',
        bitsPerByte: 0.01,
      })
      expect(progress.at(-1)).toBe(120)
      llama.free()
    })
  }

  it('real text with muon in bf16 as in f32: 100 steps of loss stay together', async () => {
    const text = await readFile(new URL('../../LICENSE', import.meta.url), 'utf8')
    const stream = (await tinyTokenizer()).encode(text)
    const [batchSize, sequenceLength] = [8, 32]
    const curve = async (precision: 'f32' | 'bf16') => {
      configure({ precision })
      const random = new Random(3)
      const llama = tinyLlama({ hiddenSize: 64, intermediateSize: 160, initializerRange: 0.05 })
      const optimizer = new Optimizer({ kind: 'muon', learningRate: 0.005, matrixLearningRate: 0.003 }, llama)
      const losses: number[] = []
      for (let count = 1; count <= 100; count++) {
        const starts = Array.from({ length: batchSize }, () => random.int(stream.length - sequenceLength - 1))
        const rows = (shift: number) =>
          Int32Array.from(
            starts.flatMap((at) => [...stream.subarray(at + shift, at + shift + sequenceLength)]),
          )
        const batch = { batchSize, sequenceLength, tokens: rows(0), targets: rows(1) }
        const loss = step(() => {
          const { loss } = llama.loss(batch)
          loss.backward()
          return loss.item()
        })
        optimizer.update(count, 1)
        losses.push(loss)
      }
      optimizer.free()
      llama.free()
      return losses
    }
    const exact = await curve('f32')
    const rounded = await curve('bf16').finally(() => configure({ precision: 'f32' }))
    expect(rounded).not.toEqual(exact)
    expect(exact[0]).toBeGreaterThan(5)
    expect(exact[99]).toBeLessThan(3)
    for (const [i, loss] of exact.entries()) expect(Math.abs(rounded[i] / loss - 1)).toBeLessThan(0.02)
  })

  it('gradients of batches that are accumulated are those of one large batch', () => {
    const llama = tinyLlama()
    const source = new PatternSource(5)
    const [a, b] = [source.next(), source.next()]
    a.targets.fill(-1, 0, 40)
    const join = (x: Int32Array, y: Int32Array) => Int32Array.of(...x, ...y)
    const both = { ...a, batchSize: 8, tokens: join(a.tokens, b.tokens), targets: join(a.targets, b.targets) }
    const gradients = (batches: (typeof a)[]) => {
      for (const each of llama.parameters.values()) each.grad?.write(new Float32Array(each.size))
      const { loss } = accumulateLoss(batches, (batch) => llama.loss(batch).loss)
      return { loss, values: [...llama.parameters.values()].flatMap((each) => [...each.grad!.read()]) }
    }
    const [apart, together] = [gradients([a, b]), gradients([both])]
    expect(apart.loss).toBeCloseTo(together.loss, 5)
    expect(Math.max(...apart.values.map((value, i) => Math.abs(value - together.values[i])))).toBeLessThan(
      1e-5,
    )
    llama.free()
  })

  it('activations that are computed again give the same bits in less memory', () => {
    const batch = new PatternSource(5, 4, 64).next()
    const shape = { numHiddenLayers: 6, hiddenSize: 64, intermediateSize: 192, maxPositionEmbeddings: 64 }
    for (const adapted of [false, true]) {
      const run = (recomputeActivations: boolean) => {
        const base = tinyLlama(shape)
        const adapter = LoraAdapter.create(base.config, { rank: 4 }, 1)
        const llama = adapted ? base.withAdapter(adapter) : base
        llama.recomputeActivations = recomputeActivations
        const loss = step(() => {
          const { loss } = llama.loss(batch)
          loss.backward()
          return loss.item()
        })
        const most = engineMemory().arenaPeakBytes
        const gradients = [...llama.trainable.values()].map((each) => each.grad!.read())
        base.free()
        adapter.free()
        return { loss, most, gradients }
      }
      // The peak is that of the process: the smaller one is measured first.
      const again = run(true)
      const kept = run(false)
      expect(again.loss).toBe(kept.loss)
      expect(again.gradients).toEqual(kept.gradients)
      // What is left are the gradients of the weights, which lie in the same memory.
      if (!adapted) expect(again.most).toBeLessThan(0.6 * kept.most)
    }
  })

  it('moments in 8 bits take a quarter of the memory and learn as well', async () => {
    const lossWith = async (state: 'f32' | '8bit') => {
      const llama = tinyLlama({ hiddenSize: 64, intermediateSize: 128 })
      const optimizer = { kind: 'adamw', learningRate: 0.003, state } as const
      const moments = new Optimizer(optimizer, llama)
      const words = [...moments.moments.values()].reduce((sum, { size }) => sum + size, 0)
      moments.free()
      const losses: number[] = []
      await pretrain({
        llama,
        sampler: new PatternSource(1),
        optimizer,
        schedule: { kind: 'wsd', warmupSteps: 10, decayFraction: 0.2 },
        totalSteps: 60,
        onMetrics: ({ loss }) => losses.push(loss),
      })
      llama.free()
      return { words, losses }
    }
    const [whole, small] = [await lossWith('f32'), await lossWith('8bit')]
    expect(small.words).toBeLessThan(0.27 * whole.words)
    for (const [i, loss] of whole.losses.entries())
      expect(Math.abs(small.losses[i] - loss)).toBeLessThan(0.05)
  })

  it('a loss that is not finite ends with the step and what to try', async () => {
    const llama = tinyLlama()
    const diverging = pretrain({
      llama,
      sampler: new PatternSource(1),
      optimizer: { kind: 'adamw', learningRate: 1e30 },
      schedule: { kind: 'constant', warmupSteps: 0 },
      totalSteps: 10,
    })
    await expect(diverging).rejects.toMatchObject({
      code: 'input',
      message: expect.stringMatching(/diverged at step \d/),
      hint: expect.stringContaining('learning rate'),
    })
    llama.free()
  })
})

describe('fine-tuning learns the answers and nothing else', () => {
  const learnedText = (tokenizer: Tokenizer, messages: ChatMessage[]) => {
    const [{ ids, learned }] = encodeConversations(tokenizer, [messages])
    return {
      whole: tokenizer.decode(ids),
      answers: tokenizer.decode(ids.filter((_, i) => learned[i] === 1)),
    }
  }

  it('loss falls on each answer and the token that ends it', async () => {
    const tokenizer = (await tinyTokenizer()).forChat()
    const messages = [user('Hi'), assistant('the sea'), user('And <|im_end|>?'), assistant('a\nriver')]
    const { whole, answers } = learnedText(tokenizer, messages)
    expect(whole).toBe(tokenizer.applyChatTemplate(messages))
    expect(answers).toBe('the sea<|im_end|>a\nriver<|im_end|>')
    expect(learnedText(tokenizer, [user('Hi')]).answers).toBe('')
  })

  it('the prompt has the tokens that it has when the model is asked', async () => {
    const tokenizer = (await tinyTokenizer()).forChat()
    const model = new LanguageModel(tinyLlama(), tokenizer)
    const asked = model.chatPrompt([user('What is a sea?')])
    const [{ ids, learned }] = encodeConversations(tokenizer, [[user('What is a sea?'), assistant(' water')]])
    expect(ids.subarray(0, learned.indexOf(1))).toEqual(asked)
    model.llama.free()
  })

  it('packed rows hold every text once and predict only what is learned', () => {
    const lengths = [5, 9, 3, 16, 2, 7, 7, 4]
    const rows = packRows(lengths, [...lengths.keys()], 16)
    expect(rows.flat().sort((a, b) => a - b)).toEqual([...lengths.keys()])
    for (const row of rows) expect(row.reduce((sum, i) => sum + lengths[i], 0)).toBeLessThanOrEqual(16)
    expect(rows.length).toBeLessThan(lengths.length)
    const texts = lengths.map((length, i) => ({
      ids: new Uint32Array(length).map((_, t) => 100 * i + t),
      learned: new Uint8Array(length).fill(1, 2),
    }))
    const batch = batchOfRows(texts, rows)
    expect(countTargets(batch.targets)).toBe(
      lengths.reduce((sum, length) => sum + Math.max(0, length - 2), 0),
    )
    for (const [i, target] of batch.targets.entries()) {
      if (target < 0) continue
      expect(target).toBe(batch.tokens[i] + 1)
      expect(batch.segments?.[i]).toBe(batch.segments?.[i + 1])
    }
  })

  it('epochs see all items, each in its own order, and a part of an epoch its part', () => {
    const plan = new EpochPlan(2.5, 4, (epoch) => Array.from({ length: 10 }, (_, i) => `${epoch}.${i}`))
    expect(plan.totalSteps).toBe(3 + 3 + 2)
    const steps = Array.from({ length: 8 }, (_, i) => plan.items(i + 1))
    expect(steps.slice(0, 3).flat().length).toBe(10)
    expect(steps[2]).toEqual(['0.8', '0.9'])
    expect(steps[3][0]).toBe('1.0')
    expect(steps[7]).toEqual(['2.4', '2.5', '2.6', '2.7'])
    expect(plan.items(1)).toEqual(steps[0])
  })

  it('rows in micro-batches give the steps of one large batch', async () => {
    const tokenizer = (await tinyTokenizer()).forChat()
    const conversations = Array.from({ length: 7 }, (_, i) => [
      user(`What is ${'the sea '.repeat(i)}?`),
      assistant('water '.repeat(1 + (i % 3))),
    ])
    const stepsOf = async (microBatchSize?: number) => {
      const llama = tinyLlama()
      const steps: TrainMetrics[] = []
      const optimizer = { kind: 'adamw', learningRate: 1e-3 } as const
      const data = { tokenizer, conversations, sequenceLength: 48, batchSize: 4, epochs: 2, seed: 1 }
      await sft({ ...data, llama, optimizer, microBatchSize, onMetrics: (each) => steps.push(each) })
      llama.free()
      return steps.flatMap(({ loss, gradientNorm }) => [loss, gradientNorm])
    }
    const [whole, parts] = [await stepsOf(), await stepsOf(3)]
    for (const [i, value] of whole.entries()) expect(Math.abs(parts[i] / value - 1)).toBeLessThan(1e-3)
  })

  it('an adapter learns what the weights would, while they stay until it is merged', async () => {
    const tokenizer = (await tinyTokenizer()).forChat()
    const base = tinyLlama()
    const before = await modelHash(base)
    const adapter = LoraAdapter.create(base.config, { rank: 8 }, 1)
    await sft({
      llama: base.withAdapter(adapter),
      tokenizer,
      conversations: [[user('What is a sea?'), assistant('the water')]],
      optimizer: { kind: 'adamw', learningRate: 0.01 },
      batchSize: 1,
      epochs: 80,
      seed: 1,
    })
    expect(await modelHash(base)).toBe(before)
    mergeAdapter(base, adapter)
    const model = new LanguageModel(base, tokenizer)
    const answer = [...model.chat([user('What is a sea?')], { maxTokens: 20, temperature: 0 })]
    expect(answer.join('')).toBe('the water')
    base.free()
    adapter.free()
  })

  it('a conversation is answered by heart afterwards', async () => {
    const tokenizer = (await tinyTokenizer()).forChat()
    const llama = tinyLlama()
    const pairs = [
      ['What is a sea?', 'water'],
      ['Who?', 'a river'],
      ['Is it wet?', 'the sea is wet'],
    ]
    const result = await sft({
      llama,
      tokenizer,
      conversations: [...pairs.map(([q, a]) => [user(q), assistant(a)]), [user('no answer')]],
      sequenceLength: 64,
      optimizer: { kind: 'adamw', learningRate: 0.01 },
      batchSize: 4,
      epochs: 60,
      seed: 1,
    })
    expect(result).toMatchObject({ dropped: 1, truncated: 0 })
    const model = new LanguageModel(llama, tokenizer)
    for (const [question, answer] of pairs) {
      expect([...model.chat([user(question)], { maxTokens: 20, temperature: 0 })].join('')).toBe(answer)
    }
    llama.free()
  })
})

describe('preferences', () => {
  const pairs = Array.from({ length: 12 }, (_, i) => ({
    messages: [user(`What is ${i}?`), assistant('ok'), user('Again')],
    chosen: 'the sea',
    rejected: 'a wet river',
  }))

  it('the gradient of the loss is that of finite differences, and it starts at log 2', async () => {
    const tokenizer = (await tinyTokenizer()).forChat()
    const llama = tinyLlama({ numHiddenLayers: 1 })
    const encoded = encodePairs(tokenizer, pairs.slice(0, 3), 64)
    const reference = encoded.map(() => [-20, -21] as [number, number])
    const loss = () => inference(() => dpoLoss(llama, encoded, reference, 0.5).loss.item())
    step(() => dpoLoss(llama, encoded, reference, 0.5).loss.backward())
    for (const [name, parameter] of llama.parameters) {
      const gradient = parameter.grad!.read() as Float32Array
      const values = parameter.read() as Float32Array
      // The steepest entry of each parameter: the others drown in the rounding of f32.
      const at = gradient.reduce(
        (best, value, i) => (Math.abs(value) > Math.abs(gradient[best]) ? i : best),
        0,
      )
      const shifted = (by: number) => {
        const copy = values.slice()
        copy[at] += by
        parameter.write(copy)
        return loss()
      }
      const h = 1e-2
      const numeric = (shifted(h) - shifted(-h)) / (2 * h)
      parameter.write(values)
      expect(Math.abs(numeric - gradient[at]) / Math.abs(gradient[at]), name).toBeLessThan(0.02)
    }
    llama.free()
  })

  it('pairs in micro-batches have the gradients of one large batch', async () => {
    const tokenizer = (await tinyTokenizer()).forChat()
    const encoded = encodePairs(tokenizer, pairs.slice(0, 5), 64)
    const reference = encoded.map((_, i) => [-20 - i, -21] as [number, number])
    const gradients = (...cuts: number[]) => {
      const llama = tinyLlama()
      const batches = cuts.map((from, i) => ({
        pairs: encoded.slice(from, cuts[i + 1]),
        reference: reference.slice(from, cuts[i + 1]),
      }))
      const outcome = dpoStep(llama, batches, 0.5)
      const values = [...llama.parameters.values()].flatMap((each) => [...each.grad!.read()])
      llama.free()
      return { outcome, values }
    }
    const [whole, parts] = [gradients(0), gradients(0, 2, 4)]
    expect(parts.outcome.loss).toBeCloseTo(whole.outcome.loss, 5)
    expect(parts.outcome.margin).toBeCloseTo(whole.outcome.margin!, 4)
    const furthest = Math.max(...whole.values.map((value, i) => Math.abs(value - parts.values[i])))
    expect(furthest / Math.max(...whole.values.map(Math.abs))).toBeLessThan(1e-4)
  })

  it('the chosen answers win, from a margin of 0 under the model as it was', async () => {
    const tokenizer = (await tinyTokenizer()).forChat()
    const llama = tinyLlama()
    const metrics: TrainMetrics[] = []
    const result = await dpo({
      llama,
      tokenizer,
      pairs: [...pairs, { messages: [user('long '.repeat(100))], chosen: 'a', rejected: 'b' }],
      beta: 0.5,
      optimizer: { kind: 'adamw', learningRate: 3e-3 },
      batchSize: 4,
      epochs: 5,
      seed: 1,
      onMetrics: (line) => metrics.push(line),
    })
    expect(metrics[0].loss).toBeCloseTo(Math.log(2), 4)
    expect(metrics[0].margin).toBeCloseTo(0, 4)
    expect(result.accuracy).toBe(1)
    expect(result.margin).toBeGreaterThan(0.5)
    expect(result.loss).toBeLessThan(0.5)
    expect(result.dropped).toBe(1)
    llama.free()
  })
})
