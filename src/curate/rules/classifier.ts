import type { DocumentStream } from '../../corpus/index.ts'
import type { Rule, Verdict } from '../verdict.ts'

/** Anything that gives one number for a text: a `LinearClassifier`, or a model behind the same function. */
export interface TextScorer {
  score(texts: readonly string[]): Float64Array | Promise<Float64Array>
}

export interface ClassifierRuleOptions {
  classifier: TextScorer
  /** Documents with a lower score go. `scoreThreshold` finds the one that keeps a given share. */
  threshold: number
  /** The name of the score on the document. */
  score?: string
}

/** Scores documents, writes the score on those that stay (`scores.edu`) and drops those under the threshold. */
export function classifierRule({ classifier, threshold, score = 'edu' }: ClassifierRuleOptions): Rule {
  return {
    name: 'classifier',
    async judge(batch) {
      const scores = await classifier.score(batch.map(({ text }) => text))
      return batch.map((_, i): Verdict => {
        const value = scores[i]
        if (value < threshold) return { keep: false, rule: `classifier.${score}`, value, threshold }
        return { keep: true, changes: { scores: { [score]: value } } }
      })
    },
  }
}

/** The threshold that keeps this share of the documents (0 to 1), best first: one pass that scores them all. */
export async function scoreThreshold(
  classifier: TextScorer,
  documents: DocumentStream,
  keepFraction: number,
): Promise<number> {
  const all: number[] = []
  for await (const batch of documents) {
    for (const score of await classifier.score(batch.map(({ text }) => text))) all.push(score)
  }
  const sorted = Float64Array.from(all).sort().reverse()
  const last = Math.ceil(keepFraction * sorted.length) - 1
  if (last < 0) return Number.POSITIVE_INFINITY
  return sorted[Math.min(last, sorted.length - 1)]
}
