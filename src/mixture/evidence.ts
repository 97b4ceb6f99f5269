/** Weights by domain: non-negative, summing to 1. */
export type Weights = Record<string, number>

/** A measured number with its interval and what it says about: the ground a decision stands on. */
export interface Evidence {
  /** `held-out bits per byte`, `baseline bits per byte`, `slope`, `accuracy`, `tokens left under the cap`. */
  measure: string
  /** The domain or the task. */
  subject: string
  value: number
  low?: number
  high?: number
  unit: string
  /** Tokens trained when it was measured. */
  tokens?: number
}

/** The next weights with the reasons for them, in plain sentences with their numbers. */
export interface Proposal {
  stage: string
  weights: Weights
  reasons: string[]
  evidence: Evidence[]
}
