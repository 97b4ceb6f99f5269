import { resolve } from 'node:path'
import { type Pipeline, ROUNDED_3 } from './pipeline.ts'

/** "Mathematics is there" and some reasoning, on the scale from 0 to 5. */
const FIRST_SCORE = 2

/**
 * FineMath (Allal et al. 2025, arXiv 2502.02737), both phases. First: read, score for mathematics, find the domains
 * where a tenth of at least ten pages scores 2 or more. Then: read again the pages of those domains, listed addresses
 * and pages that are good by themselves, formulas and discussions kept; score reasoning anew, keep 3 and more; one band
 * of ten MinHashes; language; decontamination.
 */
export const fineMath: Pipeline = {
  name: 'finemath',
  summary:
    'Web pages with mathematical reasoning, selected in the way of FineMath: a first scoring finds promising domains, ' +
    'their pages are extracted again with formulas as TeX, scored for reasoning from 0 to 5, deduplicated by one band ' +
    'of ten MinHashes, and kept in the wanted languages.',
  plan(way, { urlFiles }) {
    way.read('maths')
    const first = { ...way.scoring('maths', FIRST_SCORE), threshold: FIRST_SCORE, keepFraction: undefined }
    const scored = way.step('score-first', 'score', { ...first, scoreOnly: true })
    const limits = { score: 'maths', minScore: FIRST_SCORE, minShare: 0.1, minPages: 10 }
    const domains = way.aside('domains', 'promising-domains', limits, [scored])
    way.beginAnew()
    const recall = {
      ...way.reading('maths'),
      comments: true,
      domains,
      scored,
      minScore: FIRST_SCORE,
      urlFiles: urlFiles.map((file) => resolve(file)),
      urls: way.hashesOf(urlFiles),
      classifier: first.classifier,
    }
    way.step('recall', 'recall', recall, [domains, scored])
    way.rules('url', [way.blocked()])
    // FineMath has no heuristics but the classifier: Gopher's and C4's would take formulas for symbols and code.
    way.step('score', 'score', way.scoring('maths', ROUNDED_3))
    way.dedup({ bands: 1, rows: 10, ngram: 5, minSimilarity: 0 })
    way.rules('language', [way.language(0.3, 0.5)])
    way.decontaminate(0.6)
  },
}
