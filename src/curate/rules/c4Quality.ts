import { type C4LineOptions, type CountingOptions, kernels } from '../kernels.ts'
import { columnOf } from '../statistics.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'
import { type CountingOption, defineRule, flag, resolveRule, whole } from './definition.ts'
import { atLeast, atMost, isBroken, type LimitOptions, thresholdOf } from './limits.ts'

const lineOption = (name: keyof C4LineOptions, schema: CountingOption['schema']): CountingOption => ({
  schema,
  apply: (counting: CountingOptions, value: never) => ({
    ...counting,
    c4: { ...counting.c4, [name]: value },
  }),
})

/**
 * C4's heuristics (Raffel et al. 2020) with datatrove's definitions and defaults (`c4_filters.py`): removes lines
 * without terminal punctuation, too short, with an endless word, about javascript, cookies or terms of use, and
 * citation marks; drops documents with "lorem ipsum", a curly bracket, or too few sentences left.
 */
export const c4QualityDefinition = defineRule({
  name: 'c4Quality',
  command: 'c4',
  editsText: true,
  limits: [
    atMost('filterLoremIpsum', 'c4LoremIpsumLines', 0),
    atMost('filterCurlyBracket', 'c4CurlyBracketLines', 0),
    // Sentences that must remain once lines were removed; -1 turns it off.
    atLeast('minNumSentences', 'c4Sentences', 5),
  ],
  counting: {
    splitParagraph: lineOption('splitParagraph', flag),
    removeCitations: lineOption('removeCitations', flag),
    filterNoTerminalPunct: lineOption('filterNoTerminalPunct', flag),
    minWordsPerLine: lineOption('minWordsPerLine', whole),
    maxWordLength: lineOption('maxWordLength', whole),
    filterJavascript: lineOption('filterJavascript', flag),
    filterPolicy: lineOption('filterPolicy', flag),
  },
})

export type C4QualityOptions = LimitOptions<(typeof c4QualityDefinition.limits)[number]['option']> &
  Partial<C4LineOptions>

/** Cuts lines that are no sentences and drops texts with too little left, filler text or code. */
export function c4Quality(options: C4QualityOptions = {}): Rule {
  const { limits, counting } = resolveRule(c4QualityDefinition, options)
  const columns = limits.map(({ field }) => columnOf(field))
  return {
    name: c4QualityDefinition.name,
    judge(batch) {
      const { numbers, texts } = kernels().textStatistics(
        batch.map(({ text }) => text),
        { ...counting, columns, afterC4: [], keepTexts: true },
      )
      return texts.map((text, i): Verdict => {
        for (const [j, limit] of limits.entries()) {
          const value = numbers[i * columns.length + j]
          if (!isBroken(limit, value)) continue
          return { keep: false, rule: `c4Quality.${limit.option}`, value, threshold: thresholdOf(limit) }
        }
        return text === batch[i].text ? keep : { keep: true, changes: { text } }
      })
    },
  }
}
