import { describe, expect, it } from 'vitest'
import { type StatisticsField, statisticsFields, textStatistics } from '../../src/curate/index.ts'
import { kernels } from '../../src/curate/kernels.ts'
import { defaultCounting } from '../../src/curate/statistics.ts'
import { Random } from '../../src/random/random.ts'
import { slowLines, slowRepetition, slowWords } from './slowStatistics.ts'

const WORDS = [
  'the',
  'of',
  'naïve',
  'tree',
  'Paris',
  '日',
  '42',
  'que',
  'мир',
  '-',
  '•',
  '#',
  'have',
  '…',
  '...',
  '.',
  '!',
]
const BREAKS = [' ', ' ', ' ', ' ', ' ', '\n', '\n\n', ' \n ', '\n\n\n', '  ']

/** Tokens with spaces around them, so that every tokenizer finds the same ones. */
function randomText(random: Random, length: number): string {
  return Array.from({ length }, () => random.pick(WORDS) + random.pick(BREAKS)).join('')
}

/** What C4 leaves when it takes any line. */
function c4Texts(texts: readonly string[], maxWordLength: number): string[] {
  const c4 = { ...defaultCounting.c4, filterNoTerminalPunct: false, minWordsPerLine: 0, maxWordLength }
  return kernels().textStatistics(texts, {
    ...defaultCounting,
    c4,
    columns: [],
    afterC4: [0],
    keepTexts: true,
  }).texts
}

describe('the statistics of a text', () => {
  it('are what slow references compute from datatrove definitions', () => {
    const random = new Random(11)
    const texts = Array.from({ length: 60 }, (_, i) => randomText(random, 3 + i * 4))
    const statistics = textStatistics(texts)
    texts.forEach((text, i) => {
      const tokens = text.split(/\s+/).filter((token) => token !== '')
      const expected = {
        ...slowRepetition(text, tokens),
        ...slowLines(text, tokens),
        ...slowWords(text, tokens),
      }
      for (const [field, value] of Object.entries(expected)) {
        expect(
          statistics[i].get(field as StatisticsField),
          `${field} of ${JSON.stringify(text)}`,
        ).toBeCloseTo(value, 10)
      }
    })
  })

  it('have the columns that the kernel gives', () => {
    expect(kernels().statisticsFields()).toEqual(statisticsFields)
  })

  it('do not hang on the number of threads or on the neighbours', () => {
    const random = new Random(5)
    const texts = Array.from({ length: 50 }, () => randomText(random, random.int(400)))
    const [one, three] = [textStatistics(texts, { threads: 1 }), textStatistics(texts, { threads: 3 })]
    texts.forEach((text, i) => {
      expect(three[i].row).toEqual(one[i].row)
      expect(textStatistics([text])[0].row).toEqual(one[i].row)
    })
  })

  it('are finite for any text', async () => {
    const random = new Random(3)
    const texts = [
      '',
      ' ',
      '\n',
      '\n\n',
      '\0',
      '\ud800',
      '​',
      'é',
      '\r\n\r',
      '{',
      '.',
      '—',
      '\u2028'.repeat(9),
    ]
    for (let i = 0; i < 300; i++) {
      texts.push(String.fromCodePoint(...Array.from({ length: random.int(40) }, () => random.int(0x110000))))
    }
    for (const { row } of textStatistics(texts)) expect([...row].every(Number.isFinite)).toBe(true)
    expect(c4Texts(texts, 2)).toHaveLength(texts.length)
    await kernels().detectLanguages(texts, 50)
    ;new (kernels().NgramIndex)(texts, 3, 1).scan(texts)
    kernels().scoreLinear(texts, new Float32Array(16), 0, 100, [])
  })

  it('count the words of Chinese, Japanese, Thai and their like, or leave them whole as spaCy does', () => {
    const texts = [
      '我们喜欢学习，也喜欢写代码。',
      '東京に行きました。',
      'ภาษาไทยไม่มีช่องว่าง',
      'ພາສາລາວ',
      'ភាសាខ្មែរ',
    ]
    const words = textStatistics(texts).map((statistics) => statistics.get('words'))
    expect(words).toEqual([7, 5, 5, 2, 1])
    const whole = textStatistics(texts, { counting: { ...defaultCounting, segment: false } })
    expect(whole.map((statistics) => statistics.get('words'))).toEqual([1, 1, 1, 1, 1])
  })

  it('come in linear time from one endless line or one mark repeated', async () => {
    const [line] = textStatistics([`${'ab-c(d)e.f,'.repeat(200_000)} ${'A1b2'.repeat(300_000)}`])
    expect(line.get('lines')).toBe(1)
    expect(line.get('longestEncodedRun')).toBe(1_200_000)
    const marks = [
      '-',
      '.',
      '(',
      '"',
      "'",
      '<',
      '`',
      '[',
      '\\x',
      '0x',
      'a-',
      'a.',
      '=',
      '…',
      '\n',
      '1,',
      'ab\n',
      '@',
      '://',
      '—',
    ]
    for (const { row } of textStatistics(marks.map((mark) => `a${mark.repeat(400_000)}b`))) {
      expect([...row].every(Number.isFinite)).toBe(true)
    }
    const texts = marks.map((mark) => mark.repeat(400_000))
    c4Texts(texts, -1)
    await kernels().detectLanguages(texts, 2000)
  })
})
