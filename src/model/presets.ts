import type { LlamaConfig } from './config.ts'

const smolLm2 = {
  rmsNormEps: 1e-5,
  ropeTheta: 10_000,
  tieWordEmbeddings: true,
} as const

/**
 * Ready shapes: the three of SmolLM2 (arXiv 2502.02737 and its published configs) as they are pretrained, at 2,048
 * positions, and the three that the benchmarks use.
 */
export const presets = {
  'smollm2-135m': {
    ...smolLm2,
    vocabSize: 49_152,
    hiddenSize: 576,
    numHiddenLayers: 30,
    numAttentionHeads: 9,
    numKeyValueHeads: 3,
    intermediateSize: 1536,
    maxPositionEmbeddings: 2048,
    initializerRange: 1 / 24,
  },
  'smollm2-360m': {
    ...smolLm2,
    vocabSize: 49_152,
    hiddenSize: 960,
    numHiddenLayers: 32,
    numAttentionHeads: 15,
    numKeyValueHeads: 5,
    intermediateSize: 2560,
    maxPositionEmbeddings: 2048,
    initializerRange: 0.02,
  },
  'smollm2-1.7b': {
    ...smolLm2,
    vocabSize: 49_152,
    hiddenSize: 2048,
    numHiddenLayers: 24,
    numAttentionHeads: 32,
    numKeyValueHeads: 32,
    intermediateSize: 8192,
    maxPositionEmbeddings: 2048,
    initializerRange: 0.02,
  },
  /** 1.3M parameters; benchmark steps of 8 x 256 tokens. */
  'bench-t': {
    ...smolLm2,
    vocabSize: 4096,
    hiddenSize: 128,
    numHiddenLayers: 4,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    intermediateSize: 384,
    maxPositionEmbeddings: 256,
    initializerRange: 0.02,
  },
  /** 8.4M parameters; benchmark steps of 8 x 512 tokens. */
  'bench-s': {
    ...smolLm2,
    vocabSize: 8192,
    hiddenSize: 256,
    numHiddenLayers: 8,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    intermediateSize: 768,
    maxPositionEmbeddings: 512,
    initializerRange: 0.02,
  },
} as const satisfies Record<string, LlamaConfig>

export type PresetName = keyof typeof presets
