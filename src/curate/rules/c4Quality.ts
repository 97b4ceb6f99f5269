import { type C4LineOptions, kernels } from '../kernels.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

export interface C4QualityOptions extends Partial<C4LineOptions> {
  /** Sentences that must remain once lines were removed; -1 turns it off. */
  minNumSentences?: number
  filterLoremIpsum?: boolean
  filterCurlyBracket?: boolean
}

/**
 * C4's heuristics (Raffel et al. 2020) with datatrove's definitions and defaults (`c4_filters.py`): removes lines
 * without terminal punctuation, too short, with an endless word, about javascript, cookies or terms of use, and
 * citation marks; drops documents with "lorem ipsum", a curly bracket, or too few sentences left.
 */
export function c4Quality(options: C4QualityOptions = {}): Rule {
  const { minNumSentences = 5, filterLoremIpsum = true, filterCurlyBracket = true, ...lines } = options
  const lineOptions: C4LineOptions = { ...lineDefaults, ...lines }
  const limits = [
    { option: 'filterLoremIpsum', column: LOREM_IPSUM, on: filterLoremIpsum, max: 0 },
    { option: 'filterCurlyBracket', column: CURLY_BRACKET, on: filterCurlyBracket, max: 0 },
  ]
  return {
    name: 'c4Quality',
    judge(batch) {
      const { numbers, texts } = kernels().c4Lines(
        batch.map(({ text }) => text),
        lineOptions,
      )
      return texts.map((text, i): Verdict => {
        const row = numbers.subarray(i * COLUMNS, (i + 1) * COLUMNS)
        for (const { option, column, on, max } of limits) {
          const value = row[column]
          if (on && value > max) return { keep: false, rule: `c4Quality.${option}`, value, threshold: max }
        }
        if (row[SENTENCES] < minNumSentences) {
          const [value, threshold] = [row[SENTENCES], minNumSentences]
          return { keep: false, rule: 'c4Quality.minNumSentences', value, threshold }
        }
        return text === batch[i].text ? keep : { keep: true, changes: { text } }
      })
    },
  }
}

const lineDefaults: C4LineOptions = {
  removeCitations: true,
  filterNoTerminalPunct: true,
  minWordsPerLine: 3,
  maxWordLength: 1000,
  filterJavascript: true,
  filterPolicy: true,
}

/** The columns of the native answer: lines that say lorem ipsum, lines with a curly bracket, sentences that remain. */
const [LOREM_IPSUM, CURLY_BRACKET, SENTENCES, COLUMNS] = [0, 1, 2, 3]
