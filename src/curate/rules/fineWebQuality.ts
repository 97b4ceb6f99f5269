import { z } from 'zod'
import type { Rule } from '../verdict.ts'
import { defineRule, makeLimitsRule, whole } from './definition.ts'
import { atLeast, atMost, type LimitOptions } from './limits.ts'

/**
 * The filters that FineWeb adds to C4's and Gopher's (Penedo et al. 2024, arXiv 2406.17557) with datatrove's
 * definitions and defaults (`fineweb_quality_filter.py`).
 */
export const fineWebQualityDefinition = defineRule({
  name: 'fineWebQuality',
  command: 'fineweb',
  limits: [
    atLeast('empty', 'filledLines', 1),
    // Lines that end in terminal punctuation, and lines of at most `shortLineLength` characters, of all that are not blank.
    atLeast('linePunctThr', 'linePunctRatio', 0.12),
    atMost('shortLineThr', 'shortLineRatio', 0.67),
    atMost('charDuplicatesRatio', 'charDuplicatesRatio', 0.01),
    // Line breaks to tokens.
    atMost('newLineRatio', 'newLineRatio', 0.3),
  ],
  counting: {
    shortLineLength: {
      schema: whole,
      apply: (counting, shortLineLength: number) => ({ ...counting, shortLineLength }),
    },
    stopChars: {
      schema: z.string(),
      apply: (counting, stopChars: string) => ({ ...counting, stopChars }),
    },
  },
  // A text without a single end mark may be in a script that has none.
  exemptions: { linePunctExcludeZero: 'linePunctThr' },
})

export type FineWebQualityOptions = LimitOptions<
  (typeof fineWebQualityDefinition.limits)[number]['option']
> & {
  shortLineLength?: number
  /** The characters that end a line of prose, as one string. */
  stopChars?: string
  linePunctExcludeZero?: boolean
}

/** Drops texts with few lines that end in a mark, many short lines, repeated lines, or more breaks than prose has. */
export const fineWebQuality = (options: FineWebQualityOptions = {}): Rule =>
  makeLimitsRule(fineWebQualityDefinition, options)
