import { describe, expect, it } from 'vitest'
import {
  fromHfConfig,
  type HiddenOptions,
  type Llama,
  parameterCount,
  presets,
  toHfConfig,
  trainFlopsPerToken,
} from '../../src/model/index.ts'
import { inference, step, tensor } from '../../src/tensor/index.ts'
import { logSoftmax, slowLogits } from './slowLlama.ts'
import { tinyConfig, tinyLlama } from './tiny.ts'

const ids = Int32Array.from([5, 17, 300, 4, 4, 99, 250, 1, 0, 42])

describe('the model computes what the paper says', () => {
  for (const [name, overrides] of [
    ['grouped queries, tied embeddings', {}],
    [
      'one key-value head for each head, untied embeddings',
      { numKeyValueHeads: 4, tieWordEmbeddings: false },
    ],
    ['one key-value head for all', { numKeyValueHeads: 1, ropeTheta: 100_000 }],
  ] as const) {
    it(name, () => {
      const llama = tinyLlama(overrides)
      const logits = inference(() => llama.logits(llama.hidden(tensor(ids, [1, ids.length]))).read())
      const expected = slowLogits(llama, ids).flat()
      expect(logits.length).toBe(expected.length)
      const worst = Math.max(...expected.map((value, i) => Math.abs(value - logits[i])))
      expect(worst).toBeLessThan(1e-4)
      llama.free()
    })
  }

  it('the loss is the mean negative log-likelihood of the targets, and ignored ones do not count', () => {
    const llama = tinyLlama()
    const targets = Int32Array.from([17, -1, 4, 4, 99, 250, -1, 0, 42, 7])
    const batch = { batchSize: 1, sequenceLength: 10, tokens: ids, targets }
    const loss = step(() => llama.loss(batch).loss.item())
    const rows = slowLogits(llama, ids).map(logSoftmax)
    const kept = [...targets.entries()].filter(([, target]) => target >= 0)
    expect(loss).toBeCloseTo(kept.reduce((sum, [i, target]) => sum - rows[i][target], 0) / kept.length, 4)
    llama.free()
  })

  it('texts packed into one row do not see each other', () => {
    const llama = tinyLlama()
    const other = Int32Array.from([9, 8, 7, 6])
    const read = (tokens: Int32Array, segments?: number[]) =>
      inference(() => {
        const shape = [1, tokens.length]
        const marks = segments && tensor(Int32Array.from(segments), shape)
        return [...llama.hidden(tensor(tokens, shape), { segments: marks }).read()]
      })
    const packed = read(Int32Array.of(...ids, ...other), [...ids.map(() => 0), ...other.map(() => 1)])
    // Rotary positions are relative: the second text begins at 10 and reads as if it began at 0.
    const alone = [...read(ids), ...read(other)]
    expect(Math.max(...alone.map((value, i) => Math.abs(value - packed[i])))).toBeLessThan(1e-4)
    llama.free()
  })
})

describe('sequences one after the other', () => {
  const read = (llama: Llama, tokens: Int32Array, lengths?: number[]) => {
    const sequences = lengths?.map((length) => ({ length }))
    return inference(() => [...llama.hidden(tensor(tokens, [1, tokens.length]), { sequences }).read()])
  }

  it('are what each is alone, with positions of its own', () => {
    const llama = tinyLlama()
    const [a, b] = [ids.subarray(0, 7), ids.subarray(7)]
    const apart = [...read(llama, a), ...read(llama, b)]
    const together = read(llama, ids, [7, 3])
    const largest = Math.max(...apart.map(Math.abs))
    const apartBy = Math.max(...apart.map((value, i) => Math.abs(value - together[i])))
    expect(apartBy / largest).toBeLessThan(1e-6)
    llama.free()
  })

  it('may begin with another one, as if it stood before each of them', () => {
    const llama = tinyLlama()
    const [prefix, a, b] = [ids.subarray(0, 5), ids.subarray(5, 9), ids.subarray(9)]
    const wanted = [a, b].map((own) => read(llama, Int32Array.of(...prefix, ...own)))
    const before = { row: 0, length: 5 }
    const sequences = [{ length: 5 }, { length: 4, prefix: before }, { length: 1, prefix: before }]
    const together = inference(() => [...llama.hidden(tensor(ids, [1, 10]), { sequences }).read()])
    const width = llama.config.hiddenSize
    const alone = [...wanted[0], ...wanted[1].slice(5 * width)]
    const largest = Math.max(...alone.map(Math.abs))
    const apartBy = Math.max(...alone.map((value, i) => Math.abs(value - together[i])))
    expect(apartBy / largest).toBeLessThan(1e-6)
    llama.free()
  })

  it('are refused where they are not the tokens that came', () => {
    const llama = tinyLlama()
    for (const lengths of [[7], [7, 4], [10, 0], []]) {
      expect(() => read(llama, ids, lengths)).toThrow('do not lie in tokens [1,10]')
    }
    const segments = tensor(new Int32Array(10), [1, 10])
    const sequences = [{ length: 7 }, { length: 3 }]
    const hidden = (options: HiddenOptions) => llama.hidden(tensor(ids, [1, 10]), options)
    expect(() => inference(() => hidden({ sequences, segments }))).toThrow('have no segments')
    expect(() => step(() => hidden({ sequences }))).toThrow('are for inference')
    const prefixed = [{ length: 7 }, { length: 3, prefix: { row: 4, length: 7 } }]
    expect(() => inference(() => hidden({ sequences: prefixed }))).toThrow('no such rows before it')
    llama.free()
  })
})

describe('a configuration is read as transformers reads it', () => {
  it('goes out and comes back', () => {
    for (const config of [
      ...Object.values(presets),
      { ...tinyConfig, tieWordEmbeddings: false, ropeTheta: 5e5 },
    ]) {
      expect(fromHfConfig(JSON.parse(JSON.stringify(toHfConfig(config))))).toEqual(config)
    }
  })

  it('other architectures, scaled RoPE and biases are refused by the name of the field', () => {
    const good = toHfConfig(tinyConfig)
    const bad: [string, object][] = [
      ['architectures', { architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2' }],
      ['rope_scaling', { rope_scaling: { rope_type: 'llama3', factor: 8 } }],
      ['rope_parameters', { rope_parameters: { rope_type: 'yarn', rope_theta: 1e4 } }],
      ['attention_bias', { attention_bias: true }],
      ['rope_interleaved', { rope_interleaved: true }],
      ['hidden_act', { hidden_act: 'gelu' }],
      ['head_dim', { head_dim: 64 }],
      ['hidden_size', { hidden_size: -4 }],
      ['num_key_value_heads', { num_key_value_heads: 3 }],
      ['vocab_size', { vocab_size: undefined }],
    ]
    for (const [field, change] of bad) {
      expect(() => fromHfConfig({ ...good, ...change }, 'config.json')).toThrow(
        expect.objectContaining({ code: 'input', place: { file: 'config.json', field } }),
      )
    }
  })

  it('has the published sizes', () => {
    expect(parameterCount(presets['smollm2-135m'])).toBe(134_515_008)
    expect(parameterCount(presets['smollm2-360m'])).toBe(361_821_120)
    expect(parameterCount(presets['smollm2-1.7b'])).toBe(1_711_376_384)
    const llama = tinyLlama()
    expect(parameterCount(llama.config)).toBe(
      [...llama.parameters.values()].reduce((sum, p) => sum + p.size, 0),
    )
    expect(trainFlopsPerToken(presets['bench-s'], 512)).toBeGreaterThan(6 * 8.4e6)
    llama.free()
  })
})
