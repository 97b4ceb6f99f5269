import { z } from 'zod'
import type { Rule } from '../verdict.ts'
import { defineRule, makeLimitsRule } from './definition.ts'
import { atLeast, atMost, type LimitOptions } from './limits.ts'

/**
 * The quality heuristics of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1) with datatrove's definitions and
 * defaults (`gopher_quality_filter.py`).
 */
export const gopherQualityDefinition = defineRule({
  name: 'gopherQuality',
  limits: [
    atLeast('minDocWords', 'words', 50),
    { ...atMost('maxDocWords', 'words', 100_000), offAtZero: true },
    atLeast('minAvgWordLength', 'meanWordLength', 3),
    { ...atMost('maxAvgWordLength', 'meanWordLength', 10), offAtZero: true },
    // Of `#` and of ellipses to tokens, each.
    { ...atMost('maxSymbolWordRatio', 'hashRatio', 0.1), offAtZero: true },
    { ...atMost('maxSymbolWordRatio', 'ellipsisRatio', 0.1), offAtZero: true },
    { ...atMost('maxBulletLinesRatio', 'bulletLinesRatio', 0.9), offAtZero: true },
    { ...atMost('maxEllipsisLinesRatio', 'ellipsisLinesRatio', 0.3), offAtZero: true },
    // Tokens with at least one letter must be this share, whatever datatrove calls it.
    atLeast('maxNonAlphaWordsRatio', 'alphaWordsRatio', 0.8),
    // How many of the stop words must occur: set it to 0 or give the words of another language.
    atLeast('minStopWords', 'stopWords', 2),
  ],
  counting: {
    stopWords: {
      schema: z.array(z.string().min(1)).max(1000),
      apply: (counting, stopWords: string[]) => ({ ...counting, stopWords }),
    },
  },
})

export type GopherQualityOptions = LimitOptions<(typeof gopherQualityDefinition.limits)[number]['option']> & {
  /** English by default: the, be, to, of, and, that, have, with. */
  stopWords?: readonly string[]
}

/** Drops texts that are too short or long, with odd word lengths, many symbols or bullets, few letters or stop words. */
export const gopherQuality = (options: GopherQualityOptions = {}): Rule =>
  makeLimitsRule(gopherQualityDefinition, options)
