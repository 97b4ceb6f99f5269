/**
 * What the page on a classifier draws: what it learned, and where the scores of a corpus lie. The page is built without the
 * rest of the house, so the shapes are here once more, as far as it reads them.
 */
export interface ClassifierReport {
  format: 'smolforge-classifier'
  version: 1
  name: string
  madeAt: string
  /** What it looks at, for a person: `hashed words, ...`. */
  features: string
  lowest: number
  highest: number
  /** Documents with a lower score go. */
  threshold: number
  /** On examples that it did not learn from. */
  evaluation: ReportedEvaluation
  /** Of the documents that it scored. */
  survey?: ReportedSurvey
  /** What of them reaches the threshold, by domain. */
  kept?: Record<string, Counts>
}

interface Range {
  low: number
  high: number
}

interface Detection {
  precision: number
  recall: number
  f1: number
}

export interface ReportedEvaluation extends Detection {
  trainingExamples: number
  heldOutExamples: number
  threshold: number
  intervals: Record<keyof Detection, Range>
  meanAbsoluteError: number
  spearman: number
  levels: number[]
  confusion: number[][]
  calibration: (Range & { examples: number; meanScore: number; meanLabel: number })[]
  expectedCalibrationError: number
  thresholds: (Detection & { threshold: number; kept: number; meanLabelKept: number })[]
  examplesByLevel: { level: number; examples: { score: number; label: number; excerpt: string }[] }[]
}

interface Counts {
  documents: number
  bytes: number
}

export interface ReportedSurvey extends Counts {
  bins: (Range &
    Counts & {
      byDomain: Record<string, Counts>
      examples: { id: string; score: number; excerpt: string }[]
    })[]
}

/** The result in sentences. */
export function classifierSummary(report: ClassifierReport): string[] {
  const { evaluation, survey, threshold } = report
  const { heldOutExamples, trainingExamples, f1, precision, recall, intervals } = evaluation
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const range = ({ low, high }: { low: number; high: number }) => `${percent(low)} to ${percent(high)}`
  const learned =
    `It learned from ${count(trainingExamples)} examples. Of ${count(heldOutExamples)} others it finds the good ones ` +
    `(label at or above ${plain(evaluation.threshold)}) with an F1 of ${percent(f1)} (95 % interval ${range(intervals.f1)}): ` +
    `precision ${percent(precision)}, recall ${percent(recall)}.`
  const calibrated =
    `A score is off by ${plain(evaluation.meanAbsoluteError)} points on average; in groups of like scores, scores and ` +
    `labels differ by ${plain(evaluation.expectedCalibrationError)}. Their rank correlation is ${plain(evaluation.spearman)}.`
  if (survey === undefined) return [learned, calibrated]
  const kept = keptOf(report)
  const filtered = `A threshold of ${plain(threshold)} keeps ${percent(kept.documents / Math.max(1, survey.documents))} of ${count(survey.documents)} documents, and ${percent(kept.bytes / Math.max(1, survey.bytes))} of their bytes.`
  return [filtered, learned, calibrated]
}

/** Documents and bytes that reach the report's threshold, of one domain or of all. */
export function keptOf({ kept = {} }: ClassifierReport, domain?: string): Counts {
  const some = domain === undefined ? Object.values(kept) : [kept[domain] ?? { documents: 0, bytes: 0 }]
  return some.reduce(
    (sum, { documents, bytes }) => ({ documents: sum.documents + documents, bytes: sum.bytes + bytes }),
    { documents: 0, bytes: 0 },
  )
}

/** Documents and bytes at or above any threshold, to the width of a bin. */
export function keptAt(survey: ReportedSurvey, threshold: number, domain?: string) {
  const kept = { documents: 0, bytes: 0 }
  for (const bin of survey.bins) {
    if ((bin.low + bin.high) / 2 < threshold) continue
    const counts = domain === undefined ? bin : bin.byDomain[domain]
    kept.documents += counts?.documents ?? 0
    kept.bytes += counts?.bytes ?? 0
  }
  return kept
}

const count = (n: number) => n.toLocaleString('en-US')
const plain = (n: number) => String(Number(n.toFixed(3)))
