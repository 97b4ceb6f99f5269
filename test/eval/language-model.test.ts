import { expect, it } from 'vitest'
import { bitsPerByte, type ChoiceTask, type EvaluatedModel, evaluate, samples } from '../../src/eval/index.ts'
import { LanguageModel, Llama } from '../../src/model/index.ts'
import { Random } from '../../src/random/random.ts'
import { trainTokenizer } from '../../src/tokenizer/index.ts'

const text = 'The sea was calm. A boat lay near the shore, and two men sat in it and mended a net. '

it('a Llama that has learned nothing needs about the bits of guessing its tokens', async () => {
  const texts = (async function* () {
    yield [text.repeat(20)]
  })()
  const tokenizer = await trainTokenizer(texts, { vocabSize: 300 })
  const llama = Llama.create(
    {
      vocabSize: tokenizer.vocabSize,
      hiddenSize: 32,
      numHiddenLayers: 2,
      numAttentionHeads: 2,
      numKeyValueHeads: 1,
      intermediateSize: 64,
      maxPositionEmbeddings: 48,
      rmsNormEps: 1e-5,
      ropeTheta: 10_000,
      tieWordEmbeddings: true,
      initializerRange: 0.02,
    },
    new Random(1),
  )
  const model: EvaluatedModel = new LanguageModel(llama, tokenizer)
  const documents = [{ text: text.repeat(4) }, { text }, { text: 'A net.' }]
  const { value, tokens, bytes } = await bitsPerByte(model, documents)
  expect(value).toBeCloseTo((Math.log2(tokenizer.vocabSize) * tokens) / bytes, 0)

  const task: ChoiceTask = {
    kind: 'choice',
    name: 'smoke',
    form: 'cloze',
    shots: 0,
    normalisation: 'characters',
    items: [{ id: '1', prompt: 'The sea was', choices: [' calm.', ' a net.'], gold: 0 }],
  }
  for (const chat of [false, true]) {
    const [score] = await evaluate(model, [task], { chat })
    expect(score.n).toBe(1)
  }
  const [sample] = samples(model, ['The sea'], { maxTokens: 5 })
  expect(sample.tokens).toBeLessThanOrEqual(5)
  llama.free()
})
