import type { Rule } from '../verdict.ts'
import { limitsRule } from './limits.ts'

export interface GopherRepetitionOptions {
  dupLineFrac?: number
  dupParaFrac?: number
  dupLineCharFrac?: number
  dupParaCharFrac?: number
  /** Share of the characters in the most frequent 2-, 3- and 4-gram. */
  topNGrams?: readonly [number, number, number]
  /** Share of the characters in repeated 5- to 10-grams. */
  dupNGrams?: readonly [number, number, number, number, number, number]
}

/**
 * The repetition heuristics of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1) with datatrove's definitions and
 * defaults (`gopher_repetition_filter.py`).
 */
export function gopherRepetition(options: GopherRepetitionOptions = {}): Rule {
  const { dupLineFrac = 0.3, dupParaFrac = 0.3, dupLineCharFrac = 0.2, dupParaCharFrac = 0.2 } = options
  const { topNGrams: top = [0.2, 0.18, 0.16], dupNGrams: dup = [0.15, 0.14, 0.13, 0.12, 0.11, 0.1] } = options
  return limitsRule('gopherRepetition', [
    { option: 'dupParaFrac', field: 'dupParagraphFraction', max: dupParaFrac },
    { option: 'dupParaCharFrac', field: 'dupParagraphCharFraction', max: dupParaCharFrac },
    { option: 'dupLineFrac', field: 'dupLineFraction', max: dupLineFrac },
    { option: 'dupLineCharFrac', field: 'dupLineCharFraction', max: dupLineCharFrac },
    { option: 'topNGrams', field: 'top2GramFraction', max: top[0] },
    { option: 'topNGrams', field: 'top3GramFraction', max: top[1] },
    { option: 'topNGrams', field: 'top4GramFraction', max: top[2] },
    { option: 'dupNGrams', field: 'dup5GramFraction', max: dup[0] },
    { option: 'dupNGrams', field: 'dup6GramFraction', max: dup[1] },
    { option: 'dupNGrams', field: 'dup7GramFraction', max: dup[2] },
    { option: 'dupNGrams', field: 'dup8GramFraction', max: dup[3] },
    { option: 'dupNGrams', field: 'dup9GramFraction', max: dup[4] },
    { option: 'dupNGrams', field: 'dup10GramFraction', max: dup[5] },
  ])
}
