import type { Weights } from './evidence.ts'

/** A mixture that is trained for comparison: the control is the current mixture, the others hold a candidate. */
export interface AblationArm {
  name: string
  weights: Weights
  control: boolean
}

/** A difference to the control over all seeds, with its 95 % interval; for bits per byte lower is better. */
export interface AblationDifference {
  arm: string
  measure: string
  subject: string
  arms: { control: number; candidate: number }
  difference: number
  low: number
  high: number
  significant: boolean
  better: boolean
}

export interface AblationRun {
  arm: string
  seed: number
  scores: { measure: string; subject: string; value: number; low: number; high: number }[]
}

/** The result of an annealing ablation: `ablation.json`. */
export interface Ablation {
  candidate: string
  share: number
  tokens: number
  arms: AblationArm[]
  seeds: number[]
  runs: AblationRun[]
  differences: AblationDifference[]
  /** Plain sentences; says "no significant difference" when there is none. */
  conclusion: string[]
}
