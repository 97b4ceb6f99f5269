import { describe, expect, it } from 'vitest'
import { applyRules, languageRule, whatlangDetector } from '../../src/curate/index.ts'
import { collect, document, streamOf } from './documents.ts'

const TEXTS = {
  eng: 'The committee has decided to publish its report on the state of the railways before the end of the year.',
  deu: 'Der Ausschuss hat beschlossen, seinen Bericht über den Zustand der Bahn noch vor Jahresende zu veröffentlichen.',
  fra: "Le comité a décidé de publier son rapport sur l'état des chemins de fer avant la fin de l'année prochaine.",
  rus: 'Комитет решил опубликовать свой доклад о состоянии железных дорог до конца этого года.',
  cmn: '委员会决定在年底之前公布关于铁路状况的报告，并且欢迎所有人提出意见。',
}

describe('languageRule', () => {
  it('keeps the wanted languages and writes them on the document', async () => {
    const documents = Object.values(TEXTS).map((text) => document(text))
    const { kept, funnel } = applyRules(streamOf(documents), [languageRule({ keep: ['eng', 'deu'] })])
    const stayed = await collect(kept)
    expect(stayed.map(({ language }) => language)).toEqual(['eng', 'deu'])
    expect(stayed[0].scores.languageScore).toBeGreaterThan(0.5)
    expect(funnel().dropped['language.keep'].documents).toBe(3)
  })

  it('tells languages apart', async () => {
    const found = await whatlangDetector(Object.values(TEXTS))
    expect(found.map(({ language }) => language)).toEqual(Object.keys(TEXTS))
  })

  it('drops what it is unsure of, at the score that is asked for', async () => {
    const detector = (texts: readonly string[]) => texts.map((_, i) => ({ language: 'eng', score: i / 10 }))
    const rule = languageRule({ keep: ['eng'], minScore: 0.5, detector })
    const verdicts = await rule.judge(Array.from({ length: 7 }, () => document('x')))
    expect(verdicts.map(({ keep }) => keep)).toEqual([false, false, false, false, false, true, true])
    expect(verdicts[4]).toMatchObject({ rule: 'language.minScore', value: 0.4, threshold: 0.5 })
  })

  it('finds no language in a text without letters', async () => {
    expect(await whatlangDetector(['', '123 !?'])).toEqual([
      { language: '', score: 0 },
      { language: '', score: 0 },
    ])
  })
})
