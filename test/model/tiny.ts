import { Llama, type LlamaConfig } from '../../src/model/index.ts'
import { Random } from '../../src/random/random.ts'
import { type Tokenizer, trainTokenizer } from '../../src/tokenizer/index.ts'

/** A model that is made in a millisecond. */
export const tinyConfig: LlamaConfig = {
  vocabSize: 320,
  hiddenSize: 32,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  intermediateSize: 64,
  maxPositionEmbeddings: 64,
  rmsNormEps: 1e-5,
  ropeTheta: 10_000,
  tieWordEmbeddings: true,
  initializerRange: 0.1,
}

export const tinyLlama = (overrides: Partial<LlamaConfig> = {}, seed = 1) =>
  Llama.create({ ...tinyConfig, ...overrides }, new Random(seed))

/** The 17 special tokens, 256 bytes and some merges. */
export async function tinyTokenizer(): Promise<Tokenizer> {
  async function* texts() {
    yield Array.from(
      { length: 50 },
      (_, i) => `the sea and the river ${i} are water, the water is wet\nWhat is a sea?`,
    )
  }
  return trainTokenizer(texts(), { vocabSize: 300 })
}
