/**
 * A curation rule and an evaluation task of your own: node --import tsx examples/custom-rule-and-task.ts [MODEL]
 * Without a model, a small untrained one answers, at about the level of chance.
 */
import {
  applyRules,
  type ChoiceTask,
  evaluate,
  LanguageModel,
  Llama,
  Random,
  type Rule,
  trainTokenizer,
} from 'smolforge'

/** Drops what shouts: documents with too large a share of capital letters. */
const noShouting: Rule = {
  name: 'noShouting',
  judge: (batch) =>
    batch.map(({ text }) => {
      const letters = text.replace(/\P{L}/gu, '')
      const share = letters === '' ? 0 : letters.replace(/\P{Lu}/gu, '').length / letters.length
      return share > 0.3 ? { keep: false, rule: 'noShouting', value: share, threshold: 0.3 } : { keep: true }
    }),
}

const texts = ['The tide comes in twice a day.', 'BUY NOW! ONLY TODAY!', 'Bread needs flour, water and time.']
const documents = texts.map((text, i) => ({
  id: `note:${i}`,
  text,
  source: 'notes',
  licence: 'CC0-1.0',
  scores: {},
  meta: {},
}))
const { kept, funnel } = applyRules(oneBatch(documents), [noShouting])
for await (const batch of kept) for (const { text } of batch) console.log(`kept: ${text}`)
console.log(`dropped by noShouting: ${funnel().dropped.noShouting.documents}`)

/** Which word is the opposite? Scored by the likelihood of each answer after the prompt. */
const opposites: ChoiceTask = {
  kind: 'choice',
  name: 'opposites',
  form: 'cloze',
  shots: 0,
  normalisation: 'characters',
  items: [
    ['hot', 'cold'],
    ['high', 'low'],
    ['early', 'late'],
    ['wet', 'dry'],
  ].map(([word, opposite], i, all) => ({
    id: word,
    prompt: `The opposite of ${word} is`,
    choices: [opposite, all[(i + 1) % all.length][1]].map((choice) => ` ${choice}`),
    gold: 0,
  })),
}
const folder = process.argv[2]
const [score] = await evaluate(folder ? await LanguageModel.load(folder) : await untrained(), [opposites])
const percent = (share: number) => `${(100 * share).toFixed(0)} %`
console.log(
  `opposites: ${percent(score.value)} right, 95 % interval ${percent(score.low)} to ${percent(score.high)}, n = ${score.n}`,
)

async function untrained(): Promise<LanguageModel> {
  const tokenizer = await trainTokenizer(oneBatch(texts), { vocabSize: 280 })
  const config = {
    vocabSize: tokenizer.vocabSize,
    hiddenSize: 32,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    numKeyValueHeads: 1,
    intermediateSize: 64,
    maxPositionEmbeddings: 128,
    rmsNormEps: 1e-5,
    ropeTheta: 10_000,
    tieWordEmbeddings: true,
    initializerRange: 0.04,
  }
  return new LanguageModel(Llama.create(config, new Random(1)), tokenizer)
}

async function* oneBatch<T>(batch: readonly T[]) {
  yield batch
}
