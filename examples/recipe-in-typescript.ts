/**
 * A recipe written in TypeScript instead of YAML: the same schema, with types while writing.
 * node --import tsx examples/recipe-in-typescript.ts [RUN FOLDER]
 * It goes from texts to packed shards; take `until` away for the whole recipe.
 */
import { defineRecipe, runRecipe } from 'smolforge'

const vocabSize = 640
const recipe = defineRecipe({
  name: 'typed',
  seed: 7,
  sources: [
    { name: 'essays', domain: 'prose', licence: 'Apache-2.0', path: 'test/fixtures/corpus/prose' },
    {
      name: 'glossary',
      domain: 'dictionary',
      licence: 'Apache-2.0',
      path: 'test/fixtures/corpus/glossary',
      reader: 'wordnet',
    },
    { name: 'problems', domain: 'maths', licence: 'Apache-2.0', generate: 'worked-problems', documents: 60 },
  ],
  curate: {
    language: { domains: ['prose'], keep: ['eng'] },
    heldOut: { share: 0.2, minDocuments: 2 },
  },
  tokenizer: { vocabSize },
  model: {
    hiddenSize: 48,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    intermediateSize: 128,
  },
  training: { optimizer: 'muon', batchSize: 4, sequenceLength: 128 },
  stages: [
    { name: 'foundation', tokens: 20_000, mixture: { prose: 3, dictionary: 1, maths: 1 } },
    { name: 'anneal', tokens: 20_000, mixture: 'refine' },
  ],
})

const { runDir } = await runRecipe(recipe, {
  runDir: process.argv[2] ?? 'runs/typed',
  until: ['shards'],
  onEvent: (event) => {
    if (event.type === 'step-done') console.log(`${event.step}: ${event.record.seconds.toFixed(1)} s`)
  },
})
console.log(`finished steps are in ${runDir}/steps`)
