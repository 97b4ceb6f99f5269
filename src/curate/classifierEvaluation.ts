import { excerptOf } from './funnel.ts'

export interface LabelledText {
  text: string
  /** 0 or 1 for a yes/no classifier, or a score such as 0 to 5. */
  label: number
}

/** How a classifier did on examples that it did not learn from. */
export interface ClassifierEvaluation {
  trainingExamples: number
  heldOutExamples: number
  threshold: number
  /** Of "label at or above the threshold" against "score at or above the threshold". */
  precision: number
  recall: number
  f1: number
  accuracy: number
  meanAbsoluteError: number
  /** `confusion[i][j]`: examples with `levels[i]` as label and the score nearest to `levels[j]`. */
  levels: number[]
  confusion: number[][]
  /** Ten bins of equal width over the scale: what was predicted and what the labels say. */
  calibration: { low: number; high: number; examples: number; meanScore: number; meanLabel: number }[]
  /** At most three texts for each level that was predicted. */
  examplesByLevel: { level: number; examples: { score: number; label: number; excerpt: string }[] }[]
}

/** Compares scores with labels. With no held-out example the shares are 0. */
export function evaluateClassifier(
  heldOut: readonly LabelledText[],
  scores: Float64Array,
  { trainingExamples, threshold }: { trainingExamples: number; threshold: number },
): ClassifierEvaluation {
  const pairs = heldOut.map(({ text, label }, i) => ({ text, label, score: scores[i] }))
  const levels = [...new Set(pairs.map(({ label }) => label))].sort((a, b) => a - b)
  const truePositives = pairs.filter(({ label, score }) => label >= threshold && score >= threshold).length
  const precision = ratio(truePositives, pairs.filter(({ score }) => score >= threshold).length)
  const recall = ratio(truePositives, pairs.filter(({ label }) => label >= threshold).length)
  const agreeing = pairs.filter(({ label, score }) => label >= threshold === score >= threshold).length
  return {
    trainingExamples,
    heldOutExamples: pairs.length,
    threshold,
    precision,
    recall,
    f1: ratio(2 * precision * recall, precision + recall),
    accuracy: ratio(agreeing, pairs.length),
    meanAbsoluteError: mean(pairs.map(({ label, score }) => Math.abs(label - score))),
    levels,
    confusion: levels.map((actual) =>
      levels.map(
        (predicted) =>
          pairs.filter(({ label, score }) => label === actual && nearest(levels, score) === predicted).length,
      ),
    ),
    calibration: calibrate(pairs, levels),
    examplesByLevel: levels.map((level) => ({
      level,
      examples: pairs
        .filter(({ score }) => nearest(levels, score) === level)
        .slice(0, 3)
        .map(({ text, label, score }) => ({ score, label, excerpt: excerptOf(text, 300) })),
    })),
  }
}

const BINS = 10

function calibrate(pairs: readonly { label: number; score: number }[], levels: readonly number[]) {
  if (levels.length === 0) return []
  const [lowest, highest] = [levels[0], levels[levels.length - 1]]
  const width = (highest - lowest) / BINS || 1
  const binOf = (score: number) => Math.min(BINS - 1, Math.max(0, Math.floor((score - lowest) / width)))
  return Array.from({ length: BINS }, (_, bin) => {
    const inBin = pairs.filter(({ score }) => binOf(score) === bin)
    return {
      low: lowest + bin * width,
      high: lowest + (bin + 1) * width,
      examples: inBin.length,
      meanScore: mean(inBin.map(({ score }) => score)),
      meanLabel: mean(inBin.map(({ label }) => label)),
    }
  })
}

function nearest(levels: readonly number[], score: number): number {
  return levels.reduce((best, level) => (Math.abs(level - score) < Math.abs(best - score) ? level : best))
}

function mean(values: readonly number[]): number {
  return ratio(
    values.reduce((sum, value) => sum + value, 0),
    values.length,
  )
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
