import type { DocumentLoss, Score } from '../eval/index.ts'
import type { Weights } from './evidence.ts'

/** A mixture that is trained for comparison: the control is the current mixture, the other holds the candidate. */
export interface AblationArm {
  name: 'control' | 'candidate'
  weights: Weights
}

/** What the evaluation of one trained arm gives; documents and items in the same order for every arm. */
export interface ArmResult {
  heldOut: readonly { domain: string; bitsPerByte: number; documents: readonly DocumentLoss[] }[]
  scores?: readonly Score[]
}

export interface AblationRun extends ArmResult {
  arm: AblationArm['name']
  seed: number
}

/** Candidate minus control over all seeds, with its 95 % interval; for bits per byte lower is better. */
export interface AblationDifference {
  measure: 'bits per byte' | 'accuracy' | 'exact match'
  /** A domain or a task; `all domains` is the mean over the domains. */
  subject: string
  control: number
  candidate: number
  difference: number
  low: number
  high: number
  significant: boolean
  /** Whether the candidate is ahead, significantly or not. */
  better: boolean
}

/** The result of an annealing ablation: `ablation.json`. */
export interface Ablation {
  candidate: string
  share: number
  /** Of each arm. */
  tokens: number
  arms: AblationArm[]
  seeds: number[]
  /** The figures of each run, without its documents and items. */
  runs: {
    arm: AblationArm['name']
    seed: number
    scores: { measure: string; subject: string; value: number }[]
  }[]
  differences: AblationDifference[]
  verdict: 'better' | 'worse' | 'no significant difference'
  /** Plain sentences with the numbers. */
  conclusion: string[]
}
