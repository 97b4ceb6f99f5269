import { excerptOf } from '../funnel.ts'
import { kernels } from '../kernels.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

export interface DecontaminationOptions {
  /** What the model will be evaluated on: the question with its answer, or each on its own. */
  items: readonly { id: string; text: string }[]
  /** Words in a row that a document may not share with an item. Items of 5 to `ngram - 1` words count as a whole. */
  ngram?: number
}

export interface ContaminationReport {
  /** Dropped documents by the item they share most with. */
  byItem: Record<string, number>
  /** Items of fewer than five words: nothing is dropped for them. */
  tooShort: string[]
}

/**
 * Drops documents that hold `ngram` words in a row of an evaluation item (13 as in GPT-3 and FineMath), compared in
 * lower case without punctuation through 64-bit hashes. The verdict's value is the number of shared n-grams; its
 * detail has the `item`, the `share` of the item's n-grams and the matching `passage` of the document.
 */
export function decontaminationRule(
  options: DecontaminationOptions,
): Rule & { report(): ContaminationReport } {
  const { items, ngram = 13 } = options
  const index = new (kernels().NgramIndex)(
    items.map(({ text }) => text),
    ngram,
    LEAST_WORDS,
  )
  const sizes = index.sizes()
  const byItem = new Map<string, number>()
  return {
    name: 'decontamination',
    judge(batch) {
      const verdicts: Verdict[] = batch.map(() => keep)
      const hits = index.scan(batch.map(({ text }) => text))
      for (let at = 0; at < hits.length; at += 5) {
        const [text, item, shared, start, end] = hits.subarray(at, at + 5)
        const { id } = items[item]
        byItem.set(id, (byItem.get(id) ?? 0) + 1)
        const passage = excerptOf(batch[text].text.slice(start, end), PASSAGE_CHARACTERS)
        const detail = { item: id, share: shared / sizes[item], passage }
        verdicts[text] = { keep: false, rule: 'decontamination', value: shared, threshold: 0, detail }
      }
      return verdicts
    },
    report: () => ({
      byItem: Object.fromEntries(byItem),
      tooShort: items.filter((_, i) => sizes[i] === 0).map(({ id }) => id),
    }),
  }
}

const LEAST_WORDS = 5
const PASSAGE_CHARACTERS = 600
