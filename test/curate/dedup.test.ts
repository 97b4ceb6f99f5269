import { describe, expect, it } from 'vitest'
import { applyRules, exactDedup, minhashDedup } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { collect, document, numbered, streamOf } from './documents.ts'
import { slowJaccard } from './slowNgrams.ts'

describe('exactDedup', () => {
  it('keeps the first of texts that differ in case, spacing and punctuation only', async () => {
    const texts = [
      'The café is open.',
      'the  CAFÉ\nis open',
      'The cafe\u0301 is open!',
      'The café is closed.',
      '!',
      '?',
      '!',
    ]
    const documents = texts.map((text, i) => document(text, { id: `d${i}` }))
    const dropped: unknown[] = []
    const { kept } = applyRules(streamOf(documents, 2), [exactDedup()], {
      onVerdict: (_, verdict) => {
        if (!verdict.keep) dropped.push(verdict)
      },
    })
    expect((await collect(kept)).map(({ id }) => id)).toEqual(['d0', 'd3', 'd4', 'd5'])
    expect(dropped[0]).toEqual({ keep: false, rule: 'exactDedup', value: 1, detail: { keptId: 'd0' } })
  })
})

/** A text in which some words were replaced: the more edits, the less similar. */
function edited(text: string, edits: number, random: Random): string {
  const words = text.split(' ')
  for (let i = 0; i < edits; i++) words[random.int(words.length)] = `edit${random.uint32()}`
  return words.join(' ')
}

describe('minhashDedup', () => {
  it('finds every cluster of near-duplicates and keeps what is distinct', async () => {
    const random = new Random(1)
    const documents = Array.from({ length: 40 }, (_, cluster) => {
      const text = numbered(cluster * 1000, cluster * 1000 + 400)
      const copies = Array.from({ length: cluster % 4 }, () => edited(text, 4, random))
      return [text, ...copies].map((copy, i) => document(copy, { id: `${cluster}-${i}` }))
    }).flat()
    const rule = await minhashDedup(() => streamOf(documents), { seed: 3 })
    const { kept, funnel } = applyRules(streamOf(documents), [rule])
    expect((await collect(kept)).map(({ id }) => id)).toEqual(Array.from({ length: 40 }, (_, i) => `${i}-0`))
    expect(rule.clusters).toBe(30)
    expect(funnel().dropped.minhashDedup.documents).toBe(60)
  })

  it('measures the similarity and names the document that stays', async () => {
    const random = new Random(2)
    const text = numbered(0, 500)
    const copy = edited(text, 10, random)
    const documents = [document(text, { id: 'first' }), document(copy, { id: 'copy' })]
    const rule = await minhashDedup(() => streamOf(documents))
    const verdict = (await rule.judge(documents))[1]
    expect(verdict).toMatchObject({ keep: false, threshold: 0.7, detail: { keptId: 'first' } })
    if (verdict.keep) return
    expect(verdict.value).toBeCloseTo(slowJaccard(text, copy, 5), 6)
  })

  it('keeps the preferred one of a cluster', async () => {
    const text = numbered(0, 100)
    const documents = [0.1, 0.9, 0.5].map((edu, i) =>
      document(`${text} tail${i}`, { id: `d${i}`, scores: { edu } }),
    )
    const rule = await minhashDedup(() => streamOf(documents), { prefer: ({ scores }) => scores.edu })
    const verdicts = await rule.judge(documents)
    expect(verdicts.map(({ keep }) => keep)).toEqual([false, true, false])
  })

  it('keeps documents that share less than the least similarity, and texts without words', async () => {
    const text = numbered(0, 200)
    const half = `${numbered(0, 100)} ${numbered(900, 1000)}`
    const documents = [text, half, '', '…', '?!'].map((text) => document(text))
    const rule = await minhashDedup(() => streamOf(documents))
    expect((await rule.judge(documents)).every(({ keep }) => keep)).toBe(true)
  })

  it('joins whatever agrees on a band when no similarity is asked for', async () => {
    const random = new Random(4)
    const text = numbered(0, 300)
    const documents = [text, edited(text, 40, random)].map((text) => document(text))
    const options = { bands: 200, rows: 1 }
    const checked = await minhashDedup(() => streamOf(documents), options)
    expect((await checked.judge(documents)).map(({ keep }) => keep)).toEqual([true, true])
    const joined = await minhashDedup(() => streamOf(documents), { ...options, minSimilarity: 0 })
    expect((await joined.judge(documents)).map(({ keep }) => keep)).toEqual([true, false])
  })
})
