import type { FastTextModel } from '../fastText.ts'
import { kernels } from '../kernels.ts'
import { languageCode } from '../languageCodes.ts'
import type { Rule, Verdict } from '../verdict.ts'

export interface LanguageGuess {
  /** ISO 639-3; empty where no language was found. */
  language: string
  /** 0 to 1. */
  score: number
}

/** Names the language of each text. The default is `whatlangDetector`; a fastText model fits behind the same type. */
export type LanguageDetector = (texts: readonly string[]) => LanguageGuess[] | Promise<LanguageGuess[]>

export interface LanguageRuleOptions {
  /** Languages that stay, for example `['eng']`; ISO 639-1 codes will do. */
  keep: readonly string[]
  /** The least score of a kept language. */
  minScore?: number
  detector?: LanguageDetector
}

/** Sets `language` and `scores.languageScore`; drops other languages (`language.keep`) and unsure ones (`language.minScore`). */
export function languageRule(options: LanguageRuleOptions): Rule {
  const { minScore = 0.3, detector = (texts) => whatlangDetector(texts) } = options
  const wanted = new Set(options.keep.map(languageCode))
  return {
    name: 'language',
    async judge(batch) {
      const guesses = await detector(batch.map(({ text }) => text))
      return guesses.map(({ language, score }): Verdict => {
        const detail = { language }
        if (!wanted.has(language)) return { keep: false, rule: 'language.keep', value: score, detail }
        if (score < minScore) {
          return { keep: false, rule: 'language.minScore', value: score, threshold: minScore, detail }
        }
        return { keep: true, changes: { language, scores: { languageScore: score } } }
      })
    },
  }
}

/**
 * Language identification by a fastText model with a label for each language, such as lid.176 (`__label__en`) or
 * GlotLID (`__label__eng_Latn`). The score is the model's probability.
 */
export function fastTextDetector(model: FastTextModel, threads?: number): LanguageDetector {
  return async (texts) => {
    const found = await model.predict(texts, { threads })
    return found.map(([best]) => {
      if (best === undefined) return { language: '', score: 0 }
      return { language: languageCode(best.label), score: Math.min(best.probability, 1) }
    })
  }
}

/** Trigram language identification of 70 languages (the Rust crate `whatlang`) on the first 2,000 letters of a text. */
export async function whatlangDetector(texts: readonly string[], threads?: number): Promise<LanguageGuess[]> {
  const { codes, scores } = await kernels().detectLanguages(texts, DETECTED_CHARACTERS, threads)
  return codes.map((language, i) => ({ language, score: scores[i] }))
}

const DETECTED_CHARACTERS = 2000
