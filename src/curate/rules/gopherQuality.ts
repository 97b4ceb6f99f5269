import type { Rule } from '../verdict.ts'
import { limitsRule } from './limits.ts'

export interface GopherQualityOptions {
  minDocWords?: number
  maxDocWords?: number
  minAvgWordLength?: number
  maxAvgWordLength?: number
  /** Of `#` and of ellipses to tokens, each. */
  maxSymbolWordRatio?: number
  maxBulletLinesRatio?: number
  maxEllipsisLinesRatio?: number
  /** Tokens with at least one letter must be this share: datatrove calls it `max_non_alpha_words_ratio` all the same. */
  maxNonAlphaWordsRatio?: number
  /** How many of the, be, to, of, and, that, have, with must occur. English: set to 0 for other languages. */
  minStopWords?: number
}

/**
 * The quality heuristics of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1) with datatrove's definitions and
 * defaults (`gopher_quality_filter.py`).
 */
export function gopherQuality(options: GopherQualityOptions = {}): Rule {
  const { minDocWords = 50, maxDocWords = 100_000, minAvgWordLength = 3, maxAvgWordLength = 10 } = options
  const { maxSymbolWordRatio = 0.1, maxBulletLinesRatio = 0.9, maxEllipsisLinesRatio = 0.3 } = options
  const { maxNonAlphaWordsRatio = 0.8, minStopWords = 2 } = options
  return limitsRule('gopherQuality', [
    { option: 'minDocWords', field: 'words', min: minDocWords },
    { option: 'maxDocWords', field: 'words', max: maxDocWords },
    { option: 'minAvgWordLength', field: 'meanWordLength', min: minAvgWordLength },
    { option: 'maxAvgWordLength', field: 'meanWordLength', max: maxAvgWordLength },
    { option: 'maxSymbolWordRatio', field: 'hashRatio', max: maxSymbolWordRatio },
    { option: 'maxSymbolWordRatio', field: 'ellipsisRatio', max: maxSymbolWordRatio },
    { option: 'maxBulletLinesRatio', field: 'bulletLinesRatio', max: maxBulletLinesRatio },
    { option: 'maxEllipsisLinesRatio', field: 'ellipsisLinesRatio', max: maxEllipsisLinesRatio },
    { option: 'maxNonAlphaWordsRatio', field: 'alphaWordsRatio', min: maxNonAlphaWordsRatio },
    { option: 'minStopWords', field: 'stopWords', min: minStopWords },
  ])
}
