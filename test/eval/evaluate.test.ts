import { describe, expect, it } from 'vitest'
import {
  arithmeticTask,
  bitsPerByte,
  type ChoiceTask,
  complete,
  definitionsTask,
  type EvaluatedModel,
  evaluate,
  heldOutScores,
  isAboveChance,
  passagesTask,
  sameAnswer,
  samples,
  wilsonInterval,
} from '../../src/eval/index.ts'
import { LanguageModel } from '../../src/model/index.ts'
import { END_OF_TEXT, TableModel } from './table-model.ts'

const text = 'the cat sat on the mat. the dog lay on the rug. the cat ran to the dog. '.repeat(6)

describe('bits per byte', () => {
  it.each([16, 33, 64])('is the sum over all tokens, each once, in windows of %i', async (contextTokens) => {
    const model = new TableModel(text, { context: 64 })
    const documents = [{ text }, { text: 'the dog sat on the cat ünd' }, { text: '' }]
    const { value, bytes, tokens } = await bitsPerByte(model, documents, { contextTokens })
    // The model looks two tokens back, so windows with half a window of context change nothing.
    let bits = 0
    for (const document of documents) {
      const ids = [END_OF_TEXT, ...model.tokenizer.encode(document.text)]
      for (let i = 1; i < ids.length; i++) bits -= model.logProb(ids.slice(0, i), ids[i]) / Math.LN2
    }
    expect(bytes).toBe(documents.reduce((sum, document) => sum + Buffer.byteLength(document.text), 0))
    expect(tokens).toBe(bytes)
    expect(value).toBeCloseTo(bits / bytes, 5)
    expect(Math.max(...model.asked)).toBeLessThanOrEqual(contextTokens)
  })

  it('gives every token but the first half of a document at least half a window before it', async () => {
    // A model with a long memory sees exactly what its window holds: count what each token had before it.
    const context = 20
    const before: number[] = []
    const model = new TableModel(text, { context })
    const counting: EvaluatedModel = {
      ...model,
      tokenizer: model.tokenizer,
      llama: model.llama,
      logLikelihoods: model.logLikelihoods.bind(model),
      generate: model.generate.bind(model),
      tokenLogProbs: (sequences) =>
        sequences.map((ids) => Float32Array.from({ length: ids.length - 1 }, (_, i) => -(i + 1) * Math.LN2)),
    }
    const { documents } = await bitsPerByte(counting, [{ text: text.slice(0, 50) }])
    // The first window scores tokens with 1..19 before them, each later one those with 10..19.
    for (let i = 1; i <= 19; i++) before.push(i)
    while (before.length < 50) for (let i = 10; i <= 19; i++) before.push(i)
    const expected = before.slice(0, 50).reduce((sum, value) => sum + value, 0)
    expect(documents[0].bits).toBeCloseTo(expected, 3)
  })

  it('has an interval that is wide for few different documents and none for equal ones', async () => {
    const model = new TableModel(text)
    const same = await bitsPerByte(
      model,
      Array.from({ length: 20 }, () => ({ text: 'the cat sat.' })),
    )
    expect(same.high - same.low).toBeCloseTo(0, 9)
    const mixed = await bitsPerByte(model, [
      { text: 'the cat sat.' },
      { text: 'XQZ!' },
      { text: 'the dog lay' },
    ])
    expect(mixed.low).toBeLessThan(mixed.value)
    expect(mixed.high).toBeGreaterThan(mixed.value)
  })

  it('comes as one line for each domain', async () => {
    const model = new TableModel(text)
    const lines = await heldOutScores(model, { prose: [{ text: 'the cat' }], code: [{ text: 'x = 1' }] })
    expect(lines.map(({ domain, bytes }) => [domain, bytes])).toEqual([
      ['prose', 7],
      ['code', 5],
    ])
    expect(lines[0].bitsPerByte).toBeLessThan(lines[1].bitsPerByte)
  })

  it('stops when asked to', async () => {
    const stop = { stopped: true }
    await expect(bitsPerByte(new TableModel(text), [{ text }], { stop })).rejects.toMatchObject({
      code: 'interrupted',
    })
  })
})

describe('choices', () => {
  const item = { id: '1', prompt: 'the cat', choices: [' sat on the mat', ' qqqqqqqqqqqqqq', ' x'], gold: 0 }
  const task: ChoiceTask = {
    kind: 'choice',
    name: 'hand-made',
    form: 'cloze',
    shots: 0,
    normalisation: 'characters',
    items: [item],
  }

  it('are scored by log-likelihood for each character without the leading space', async () => {
    const model = new TableModel(text)
    // By hand: the sums and the character counts 14, 14 and 1.
    const sums = model.logLikelihoods(
      item.choices.map((continuation) => ({ context: item.prompt, continuation })),
    )
    const normed = sums.map(({ sum }, i) => sum / [14, 14, 1][i])
    expect(normed[0]).toBeGreaterThan(Math.max(normed[1], normed[2]))
    const [score] = await evaluate(model, [task])
    expect(score).toMatchObject({ task: 'hand-made', value: 1, n: 1, chance: 1 / 3, form: 'cloze', shots: 0 })
    expect(score.normalisation).toBe('characters')
    expect(score.outcomes).toEqual([1])
  })

  it('can be won by a short wrong one without normalisation, which the score then says', async () => {
    const short = {
      ...task,
      normalisation: 'none' as const,
      items: [{ ...item, choices: [' sat on the mat and then', ' x'] }],
    }
    const [score] = await evaluate(new TableModel(text, { order: 1 }), [short])
    expect(score.normalisation).toBe('none')
    expect(score.value).toBe(0)
  })

  it('count by what the prompt adds to them with pmi, where a common choice wins otherwise', async () => {
    const common = `${'word: an animal. '.repeat(20)}oak: a tall tree. `
    const model = new TableModel(common, { order: 4 })
    const asked = {
      id: 'oak',
      prompt: 'oak:',
      neutral: { prompt: 'word:' },
      choices: [' an animal.', ' a tall tree.'],
      gold: 1,
    }
    const plain = await evaluate(model, [{ ...task, normalisation: 'none', items: [asked] }])
    const [pmi] = await evaluate(model, [{ ...task, normalisation: 'pmi', items: [asked] }])
    expect(plain[0].outcomes).toEqual([0])
    expect(pmi).toMatchObject({ normalisation: 'pmi', outcomes: [1], chance: 0.5 })
  })

  it('need a neutral prompt for pmi', async () => {
    await expect(
      evaluate(new TableModel(text), [{ ...task, normalisation: 'pmi', items: [item] }]),
    ).rejects.toThrow('Item 1 of the task hand-made has no neutral prompt')
  })

  it('are put through the chat template for a chat model', async () => {
    const chat = '<|im_start|>user\nwhat is a cat?<|im_end|>\n<|im_start|>assistant\nan animal<|im_end|>\n'
    const model = new TableModel(chat.repeat(3), { order: 12 })
    const asked = {
      id: '1',
      prompt: 'cat:',
      question: 'what is a cat?',
      choices: [' an animal', ' a plant, I'],
      gold: 0,
    }
    const [score] = await evaluate(model, [{ ...task, items: [asked] }], { chat: true })
    expect(score).toMatchObject({ value: 1, chat: true })
  })

  it('above chance means that the whole interval is', () => {
    const score = { task: 't', metric: 'accuracy', form: 'cloze', shots: 0, chance: 0.25 } as const
    expect(isAboveChance({ ...score, value: 0.35, n: 200, ...wilsonInterval(70, 200) })).toBe(true)
    expect(isAboveChance({ ...score, value: 0.29, n: 200, ...wilsonInterval(58, 200) })).toBe(false)
  })

  it('have the Wilson interval of the textbooks', () => {
    const { low, high } = wilsonInterval(8, 10)
    expect(low).toBeCloseTo(0.4902, 4)
    expect(high).toBeCloseTo(0.9433, 4)
    expect(wilsonInterval(0, 20).low).toBe(0)
    expect(wilsonInterval(20, 20).high).toBe(1)
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 })
  })
})

describe('completions', () => {
  const model = new TableModel('Problem: 2 + 2?\nSolution: 2 + 2 = 4.\nAnswer: 4\n\nProblem: 3 + 3?\n', {
    order: 6,
    context: 160,
  })

  it('end before a stop text, and at the end of a turn', () => {
    expect(complete(model, '2 + 2?\nSolution:', { maxTokens: 60, stop: ['\n\n'] }).completion).toBe(
      ' 2 + 2 = 4.\nAnswer: 4',
    )
    const chatty = new TableModel('Hi<|im_end|>\n<|im_start|>', { order: 1 })
    expect(complete(chatty, 'H', { maxTokens: 20 })).toEqual({ completion: 'i', tokens: 1 })
  })

  it('are right when their final answer is', async () => {
    const problems = [
      { id: '1', question: '2 + 2?', answer: '4' },
      { id: '2', question: '2 + 2?', answer: '5' },
    ]
    const [score] = await evaluate(model, [arithmeticTask(problems)])
    expect(score).toMatchObject({ value: 0.5, metric: 'exact match', form: 'generative', outcomes: [1, 0] })
  })

  it('keep the end of a prompt that is longer than the model’s context', () => {
    const long = complete(model, `${'x'.repeat(500)}2 + 2?\nSolution:`, { maxTokens: 30, stop: ['\n'] })
    expect(long.completion).toBe(' 2 + 2 = 4.')
  })

  it.each([
    ['So 3 * 4 = 12.\nAnswer: 12', '12', true],
    ['The answer is 1,234.', '1234', true],
    ['The answer is $4.50', '$4.50', true],
    ['... #### 72', '72', true],
    ['Answer: 12 apples', '12', true],
    ['Answer: 12 or 13', '12', false],
    ['It is 5. Then 7.', '7', true],
    ['Answer: 3/4', '3/4', true],
    ['Answer: 3/4', '3', false],
    ['Answer: -3', '3', false],
    ['no idea', '3', false],
    ['Answer: yes', 'yes', true],
    ['Answer: 12.0', '12', true],
  ])('%j against %j: %j', (completion, gold, right) => {
    expect(sameAnswer(completion, gold)).toBe(right)
  })

  it('are shown as samples, chats with their last question', () => {
    const shown = samples(model, ['2 + 2?\nSolution:', { messages: [{ role: 'user', content: 'Hi' }] }], {
      maxTokens: 5,
    })
    expect(shown[0]).toEqual({ prompt: '2 + 2?\nSolution:', completion: ' 2 + ', tokens: 5 })
    expect(shown[1].prompt).toBe('Hi')
  })
})

describe('tasks made from held-out text', () => {
  const entries = Array.from({ length: 300 }, (_, i) => ({
    word: `word${i}`,
    partOfSpeech: i % 3 === 0 ? 'verb' : 'noun',
    gloss: `${i % 3 === 0 ? 'to do' : 'a thing of'} ${'x'.repeat(1 + (i % 17))} number ${i}`,
  }))

  it('ask for a word with four glosses of its part of speech, the right one anywhere', () => {
    const task = definitionsTask(entries, { count: 200, seed: 1 })
    expect(task.items).toHaveLength(200)
    const byGloss = new Map(entries.map((entry) => [` ${entry.gloss}`, entry]))
    for (const { id, prompt, choices, gold } of task.items) {
      const [word, partOfSpeech] = id.split('/')
      expect(prompt).toBe(`${word}:`)
      expect(new Set(choices).size).toBe(4)
      expect(byGloss.get(choices[gold])?.word).toBe(word)
      for (const choice of choices) expect(byGloss.get(choice)?.partOfSpeech).toBe(partOfSpeech)
    }
    const golds = [0, 1, 2, 3].map((place) => task.items.filter(({ gold }) => gold === place).length)
    expect(Math.min(...golds)).toBeGreaterThan(30)
    expect(definitionsTask(entries, { count: 200, seed: 1 })).toEqual(task)
    expect(definitionsTask(entries, { count: 200, seed: 2 })).not.toEqual(task)
  })

  it('do not give the answer away by its length', () => {
    const { items } = definitionsTask(entries, { count: 200, seed: 1 })
    const longest = items.filter(({ choices, gold }) =>
      choices.every((choice) => choice.length <= choices[gold].length),
    )
    expect(longest.length / items.length).toBeLessThan(0.5)
  })

  it.each([8, 2])(
    'cut a passage between two words, the wrong endings from others of %i documents',
    (count) => {
      const documents = Array.from({ length: count }, (_, d) => ({
        id: `d${d}`,
        text: Array.from({ length: 400 }, (_, i) => `w${d}x${i}`).join(' '),
      }))
      const task = passagesTask(documents, { count: 20, seed: 1 })
      expect(task.items).toHaveLength(20)
      for (const { id, prompt, choices, gold } of task.items) {
        const own = documents.find((document) => document.id === id.split('/')[0])
        expect(own?.text).toContain(prompt + choices[gold])
        expect(new Set(choices).size).toBe(4)
        for (const [i, choice] of choices.entries())
          if (i !== gold) expect(own?.text.includes(choice.trim())).toBe(false)
      }
    },
  )

  it('are empty rather than wrong when there is too little text', () => {
    expect(passagesTask([{ id: 'a', text: 'short' }], { count: 5, seed: 1 }).items).toEqual([])
    expect(definitionsTask(entries.slice(0, 2), { count: 5, seed: 1 }).items).toEqual([])
  })
})

it('the language model of the model room is what evaluation asks for', () => {
  // Only the compiler runs this: a change on either side that does not fit fails the build.
  const fits = (model: LanguageModel): EvaluatedModel => model
  expect(fits).toBeTypeOf('function')
  expect(LanguageModel).toBeTypeOf('function')
})
