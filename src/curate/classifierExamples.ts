import { SmolforgeError } from '../errors.ts'
import { Random } from '../random/random.ts'
import type { LabelledText } from './classifierEvaluation.ts'

export interface SplitExamplesOptions {
  seed: number
  /** Part of the examples that is only evaluated on. */
  heldOutFraction?: number
  /**
   * The score from which on an example counts as good in the evaluation: 0.5 for yes/no, otherwise 2.5, which is
   * "3 when rounded" as FineWeb-Edu counts.
   */
  threshold?: number
}

/** Examples drawn apart for learning and for evaluating, and what their labels are. */
export interface SplitExamples {
  training: LabelledText[]
  heldOut: LabelledText[]
  /** All labels are 0 or 1. */
  yesNo: boolean
  lowest: number
  highest: number
  threshold: number
}

/** @throws SmolforgeError `input` when there are too few examples or all have one label. */
export function splitExamples(
  examples: readonly LabelledText[],
  { seed, heldOutFraction = 0.1, threshold }: SplitExamplesOptions,
): SplitExamples {
  const labels = examples.map(({ label }) => label)
  const [lowest, highest] = [least(labels), -least(labels.map((label) => -label))]
  checkExamples(examples.length, lowest, highest)
  const yesNo = labels.every((label) => label === 0 || label === 1)
  const order = Random.derive(seed, 'classifier/held-out').shuffle(examples.map((_, i) => i))
  const heldOutCount = Math.min(examples.length - 1, Math.round(examples.length * heldOutFraction))
  return {
    heldOut: order.slice(0, heldOutCount).map((i) => examples[i]),
    training: order.slice(heldOutCount).map((i) => examples[i]),
    yesNo,
    lowest,
    highest,
    threshold: threshold ?? (yesNo ? 0.5 : 2.5),
  }
}

function checkExamples(count: number, lowest: number, highest: number): void {
  if (count < 2 || !(lowest < highest)) {
    const found = count < 2 ? `${count} examples` : `${count} examples that all have the label ${lowest}`
    throw new SmolforgeError('input', `A classifier cannot learn from ${found}`, {
      hint: 'Give at least two examples with different labels; a few hundred of each is a start.',
    })
  }
}

function least(values: readonly number[]): number {
  return values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY)
}
