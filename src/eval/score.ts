export type ScoreForm = 'multiple-choice' | 'cloze' | 'generative' | 'bits-per-byte'

/**
 * How the log-likelihood of a choice is made comparable: `characters` divides by its length without the leading space;
 * `pmi` takes away its log-likelihood after a neutral prompt (pointwise mutual information, Holtzman et al. 2021), so
 * that only what the prompt adds counts: for choices that are likely or not by themselves, such as glosses.
 */
export type Normalisation = 'none' | 'characters' | 'pmi'

/** A measured number, never without its 95 % interval, form, shots and normalisation. */
export interface Score {
  task: string
  metric: 'accuracy' | 'exact match' | 'bits per byte'
  /** Shares are in [0, 1]. */
  value: number
  low: number
  high: number
  /** Items, or documents for bits per byte. */
  n: number
  form: ScoreForm
  shots: number
  normalisation?: Normalisation
  /** What guessing reaches; absent where guessing reaches nothing. */
  chance?: number
  /** Whether the items were put through the chat template. */
  chat?: boolean
  /** Right (1) or wrong (0) for each item, in the order of the task: what paired comparisons need. */
  outcomes?: number[]
}

/** True when the whole interval lies above what guessing reaches. */
export function isAboveChance(score: Score): boolean {
  return score.low > (score.chance ?? 0)
}
