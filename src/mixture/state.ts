import type { Score } from '../eval/index.ts'
import type { Weights } from './evidence.ts'

/** A held-out measurement of one domain at some point of the training. */
export interface Measurement {
  /** Tokens trained in all when it was made. */
  tokens: number
  bitsPerByte: number
  low?: number
  high?: number
}

export interface DomainState {
  /** In order of tokens; the last two tell whether the loss still falls. */
  measurements: readonly Measurement[]
  /** What a model without neurons reaches on the same bytes: the Kneser-Ney 5-gram. */
  baseline?: number
  /** How many more tokens of the domain may be trained under its cap on epochs. */
  tokensLeft: number
  /** A small set of high quality, kept for the decay at the end. */
  saved?: boolean
}

export interface MixtureBounds {
  /** The most that a weight may move at once, as a share of the whole. */
  maxChange?: number
  /** The most by which a weight may be multiplied or divided. */
  maxFactor?: number
  /** The least weight of a domain that has a weight at all. */
  minWeight?: number
}

/** All that the next mixture is decided from. */
export interface MixtureState {
  /** The stage to come, for example `stage 2`. */
  stage: string
  /** The weights of the stage before. */
  weights: Weights
  domains: Readonly<Record<string, DomainState>>
  /** Benchmark scores of the last checkpoint, and which domain each task speaks for. */
  scores?: readonly Score[]
  taskDomains?: Readonly<Record<string, string>>
  /** Tokens of the stage to come. */
  nextTokens: number
  /** True when the learning rate falls to 0 in the stage to come. */
  decay?: boolean
  /** Tokens of a decay that comes later than the next stage: saved sets keep what they need for it. */
  laterDecayTokens?: number
  bounds?: MixtureBounds
}
