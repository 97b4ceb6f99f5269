import { headDim, type LlamaConfig } from './config.ts'

/** Number of trained parameters; tied embeddings count once. */
export function parameterCount(config: LlamaConfig): number {
  const { vocabSize, hiddenSize, numHiddenLayers, tieWordEmbeddings } = config
  const tables = vocabSize * hiddenSize * (tieWordEmbeddings ? 1 : 2)
  return tables + numHiddenLayers * (layerMatrices(config) + 2 * hiddenSize) + hiddenSize
}

/**
 * Floating-point operations of one training step per token: forward and backward of all matrix products (6 per
 * weight, the head counted, the embedding look-up not) and of causal attention over `sequenceLength`.
 */
export function trainFlopsPerToken(config: LlamaConfig, sequenceLength: number): number {
  const weights = config.numHiddenLayers * layerMatrices(config) + config.vocabSize * config.hiddenSize
  // Scores and weighted values: 2 products of 2 flops over half the positions, three times for forward and backward.
  const attention = config.numHiddenLayers * 6 * config.hiddenSize * sequenceLength
  return 6 * weights + attention
}

function layerMatrices(config: LlamaConfig): number {
  const { hiddenSize, intermediateSize, numKeyValueHeads } = config
  const attention = 2 * hiddenSize * hiddenSize + 2 * hiddenSize * numKeyValueHeads * headDim(config)
  return attention + 3 * hiddenSize * intermediateSize
}
