import type { Rule } from '../verdict.ts'
import { defineRule, makeLimitsRule } from './definition.ts'
import { atLeast, atMost, type Limit, type LimitOptions } from './limits.ts'

const off = <Option extends string>(limit: Limit<Option>) => ({ ...limit, offAtZero: true })

/**
 * The repetition heuristics of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1) with datatrove's definitions and
 * defaults (`gopher_repetition_filter.py`).
 */
export const gopherRepetitionDefinition = defineRule({
  name: 'gopherRepetition',
  limits: [
    atLeast('empty', 'bytes', 1),
    off(atMost('dupParaFrac', 'dupParagraphFraction', 0.3)),
    off(atMost('dupParaCharFrac', 'dupParagraphCharFraction', 0.2)),
    off(atMost('dupLineFrac', 'dupLineFraction', 0.3)),
    off(atMost('dupLineCharFrac', 'dupLineCharFraction', 0.2)),
    // Share of the characters in the most frequent n-gram.
    atMost('topNGrams.2', 'top2GramFraction', 0.2),
    atMost('topNGrams.3', 'top3GramFraction', 0.18),
    atMost('topNGrams.4', 'top4GramFraction', 0.16),
    // Share of the characters in repeated n-grams.
    atMost('dupNGrams.5', 'dup5GramFraction', 0.15),
    atMost('dupNGrams.6', 'dup6GramFraction', 0.14),
    atMost('dupNGrams.7', 'dup7GramFraction', 0.13),
    atMost('dupNGrams.8', 'dup8GramFraction', 0.12),
    atMost('dupNGrams.9', 'dup9GramFraction', 0.11),
    atMost('dupNGrams.10', 'dup10GramFraction', 0.1),
  ],
})

export type GopherRepetitionOptions = LimitOptions<
  'empty' | 'dupLineFrac' | 'dupParaFrac' | 'dupLineCharFrac' | 'dupParaCharFrac'
> & {
  topNGrams?: LimitOptions<'2' | '3' | '4'>
  dupNGrams?: LimitOptions<'5' | '6' | '7' | '8' | '9' | '10'>
}

/** Drops texts with repeated lines, paragraphs and n-grams. */
export const gopherRepetition = (options: GopherRepetitionOptions = {}): Rule =>
  makeLimitsRule(gopherRepetitionDefinition, options)
