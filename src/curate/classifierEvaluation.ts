import { f1Interval, type Interval, wilsonInterval } from '../random/wilson.ts'
import { excerptOf } from './funnel.ts'
import { spearman } from './judges/agreement.ts'

export interface LabelledText {
  text: string
  /** 0 or 1 for a yes/no classifier, or a score such as 0 to 5. */
  label: number
}

/** Of "label at or above the cut" against "score at or above the threshold". */
export interface Detection {
  precision: number
  recall: number
  f1: number
}

export interface ThresholdRow extends Detection {
  threshold: number
  /** Share of the examples that a filter at this threshold keeps. */
  kept: number
  /** Mean label of what it keeps; of all that is good it loses 1 - recall. */
  meanLabelKept: number
}

/** How a classifier did on examples that it did not learn from. */
export interface ClassifierEvaluation extends Detection {
  trainingExamples: number
  heldOutExamples: number
  threshold: number
  /** 95 % intervals (Wilson). */
  intervals: Record<keyof Detection, Interval>
  accuracy: number
  meanAbsoluteError: number
  /** Of scores and labels; 0 where one of them does not vary. */
  spearman: number
  /** `confusion[i][j]`: examples with `levels[i]` as (nearest) label and the score nearest to `levels[j]`. */
  levels: number[]
  confusion: number[][]
  /** Ten bins of equal width over the scale: what was predicted and what the labels say. */
  calibration: CalibrationBin[]
  /** Mean distance of the two in a bin, weighted by its examples: in points of the scale. */
  expectedCalibrationError: number
  /** What filters at other thresholds would do; good stays "label at or above `threshold`". */
  thresholds: ThresholdRow[]
  /** At most three texts for each level that was predicted. */
  examplesByLevel: { level: number; examples: { score: number; label: number; excerpt: string }[] }[]
}

export interface CalibrationBin {
  low: number
  high: number
  examples: number
  meanScore: number
  meanLabel: number
}

/** Compares scores with labels. With no held-out example the shares are 0. */
export function evaluateClassifier(
  heldOut: readonly LabelledText[],
  scores: Float64Array,
  { trainingExamples, threshold }: { trainingExamples: number; threshold: number },
): ClassifierEvaluation {
  const pairs = heldOut.map(({ text, label }, i) => ({ text, label, score: scores[i] }))
  const levels = levelsOf(pairs.map(({ label }) => label))
  const count = (holds: (pair: Pair) => boolean) => pairs.filter(holds).length
  const positives = count(({ score }) => score >= threshold)
  const good = count(({ label }) => label >= threshold)
  const truePositives = count(({ label, score }) => label >= threshold && score >= threshold)
  const calibration = calibrate(pairs, levels)
  return {
    trainingExamples,
    heldOutExamples: pairs.length,
    threshold,
    ...detection(truePositives, positives, good),
    intervals: {
      precision: wilsonInterval(truePositives, positives),
      recall: wilsonInterval(truePositives, good),
      f1: f1Interval(truePositives, positives + good - 2 * truePositives),
    },
    accuracy: ratio(
      count(({ label, score }) => label >= threshold === score >= threshold),
      pairs.length,
    ),
    meanAbsoluteError: mean(pairs.map(({ label, score }) => Math.abs(label - score))),
    spearman:
      spearman(
        pairs.map(({ label }) => label),
        pairs.map(({ score }) => score),
      ) || 0,
    levels,
    confusion: confusionOf(pairs, levels),
    calibration,
    expectedCalibrationError: ratio(
      calibration.reduce((sum, bin) => sum + bin.examples * Math.abs(bin.meanScore - bin.meanLabel), 0),
      pairs.length,
    ),
    thresholds: thresholdRows(pairs, levels, threshold, good),
    examplesByLevel: levels.map((level) => ({
      level,
      examples: pairs
        .filter(({ score }) => nearest(levels, score) === level)
        .slice(0, 3)
        .map(({ text, label, score }) => ({ score, label, excerpt: excerptOf(text, 300) })),
    })),
  }
}

interface Pair {
  text: string
  label: number
  score: number
}

/** More different labels than this are scores of another model: whole numbers serve as levels then. */
const MOST_LEVELS = 12

function levelsOf(labels: readonly number[]): number[] {
  const ascending = (values: Iterable<number>) => [...new Set(values)].sort((a, b) => a - b)
  const levels = ascending(labels)
  return levels.length <= MOST_LEVELS ? levels : ascending(labels.map(Math.round))
}

function detection(truePositives: number, positives: number, good: number): Detection {
  const precision = ratio(truePositives, positives)
  const recall = ratio(truePositives, good)
  return { precision, recall, f1: ratio(2 * precision * recall, precision + recall) }
}

function confusionOf(pairs: readonly Pair[], levels: readonly number[]): number[][] {
  const confusion = levels.map(() => levels.map(() => 0))
  const at = new Map(levels.map((level, i) => [level, i]))
  for (const { label, score } of pairs) {
    confusion[at.get(nearest(levels, label)) ?? 0][at.get(nearest(levels, score)) ?? 0]++
  }
  return confusion
}

const BINS = 10

function calibrate(pairs: readonly Pair[], levels: readonly number[]): CalibrationBin[] {
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

const ROWS = 20

/** Twenty thresholds over the scale, best kept first to last. */
function thresholdRows(
  pairs: readonly Pair[],
  levels: readonly number[],
  cut: number,
  good: number,
): ThresholdRow[] {
  if (levels.length === 0) return []
  const [lowest, highest] = [levels[0], levels[levels.length - 1]]
  const ordered = [...pairs].sort((a, b) => b.score - a.score)
  const rows: ThresholdRow[] = []
  let [kept, truePositives, labels] = [0, 0, 0]
  for (let row = ROWS; row >= 0; row--) {
    const threshold = lowest + (row * (highest - lowest)) / ROWS
    for (; kept < ordered.length && ordered[kept].score >= threshold; kept++) {
      labels += ordered[kept].label
      if (ordered[kept].label >= cut) truePositives++
    }
    rows.push({
      threshold,
      kept: ratio(kept, pairs.length),
      meanLabelKept: ratio(labels, kept),
      ...detection(truePositives, kept, good),
    })
  }
  return rows.reverse()
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
