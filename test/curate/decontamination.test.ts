import { describe, expect, it } from 'vitest'
import { decontaminationRule } from '../../src/curate/index.ts'
import { kernels } from '../../src/curate/kernels.ts'
import { Random } from '../../src/random/random.ts'
import { document, numbered } from './documents.ts'
import { slowContaminates } from './slowNgrams.ts'

describe('decontaminationRule', () => {
  const items = [
    { id: 'long', text: numbered(0, 20) },
    { id: 'eight', text: 'Which of these eight words is the answer?' },
    { id: 'five', text: 'How do magnets attract iron?' },
    { id: 'tiny', text: 'What is it?' },
  ]

  it('drops thirteen words in a row and keeps twelve', async () => {
    const rule = decontaminationRule({ items })
    const [thirteen, twelve] = [`Before ${numbered(3, 16)} after`, `Before ${numbered(3, 15)} after`]
    const verdicts = await rule.judge([document(thirteen), document(twelve)])
    expect(verdicts[0]).toEqual({
      keep: false,
      rule: 'decontamination',
      value: 1,
      threshold: 0,
      detail: { item: 'long', share: 1 / 8, passage: numbered(3, 16) },
    })
    expect(verdicts[1].keep).toBe(true)
  })

  it('finds short items as a whole, whatever their case and punctuation', async () => {
    const rule = decontaminationRule({ items })
    const texts = [
      '😀 WHICH of these “eight” words\nis the answer…',
      'Of these eight words is the answer.',
      'So, how do magnets attract iron? Well.',
      'How do magnets attract steel?',
      'What is it?',
    ]
    const verdicts = await rule.judge(texts.map((text) => document(text)))
    expect(verdicts.map(({ keep }) => keep)).toEqual([false, true, false, true, true])
    expect(verdicts[0]).toMatchObject({ detail: { passage: 'WHICH of these “eight” words\nis the answer' } })
    expect(rule.report()).toEqual({ byItem: { eight: 1, five: 1 }, tooShort: ['tiny'] })
  })

  it('takes no items', async () => {
    const rule = decontaminationRule({ items: [] })
    expect((await rule.judge([document('anything')]))[0].keep).toBe(true)
  })

  it('decides as a slow search of plain strings does, on any number of threads', async () => {
    const random = new Random(8)
    const vocabulary = ['red', 'blue', 'cat']
    const words = (count: number) => Array.from({ length: count }, () => random.pick(vocabulary)).join(' ')
    const pool = Array.from({ length: 25 }, (_, i) => ({ id: `i${i}`, text: words(3 + random.int(12)) }))
    const documents = Array.from({ length: 300 }, () => document(words(random.int(60))))
    const verdicts = await decontaminationRule({ items: pool, ngram: 9 }).judge(documents)
    const expected = documents.map(({ text }) => !pool.some((item) => slowContaminates(text, item.text, 9)))
    expect(verdicts.map(({ keep }) => keep)).toEqual(expected)
    expect(expected.filter((keep) => !keep).length).toBeGreaterThan(30)
    const texts = pool.map(({ text }) => text)
    const index = new (kernels().NgramIndex)(texts, 9, 5)
    const all = documents.map(({ text }) => text)
    expect(index.scan(all, 1)).toEqual(index.scan(all, 3))
  })
})
