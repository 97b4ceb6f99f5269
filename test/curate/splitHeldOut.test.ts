import { describe, expect, it } from 'vitest'
import type { Document } from '../../src/corpus/index.ts'
import { splitHeldOut } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { collect, document, numbered, streamOf } from './documents.ts'
import { slowOverlap } from './slowNgrams.ts'

/** Prose that is new in every document, and manuals of which most are one template. */
function corpus(): Document[] {
  const random = new Random(6)
  const prose = Array.from({ length: 120 }, (_, i) => numbered(i * 500, i * 500 + 60 + random.int(60)))
  const template = numbered(90_000, 90_060)
  const manuals = Array.from({ length: 80 }, (_, i) =>
    i % 2 === 0
      ? `${template} ${numbered(200_000 + i * 50, 200_020 + i * 50)}`
      : numbered(300_000 + i * 100, 300_090 + i * 100),
  )
  return [
    ...prose.map((text, i) => document(text, { id: `prose/${i}`, meta: { domain: 'prose' } })),
    ...manuals.map((text, i) => document(text, { id: `manual/${i}`, meta: { domain: 'manuals' } })),
    document('', { id: 'empty', meta: { domain: 'prose' } }),
  ]
}

describe('splitHeldOut', () => {
  it('holds out documents that share under a tenth of their 13-grams with the training text', async () => {
    const documents = corpus()
    const split = await splitHeldOut(() => streamOf(documents), {
      fractionByDomain: 0.1,
      minDocuments: 10,
      seed: 1,
    })
    const training = await collect(split.training)
    const texts = training.map(({ text }) => text)
    expect(split.heldOut.length).toBeGreaterThanOrEqual(20)
    for (const { text } of split.heldOut) expect(slowOverlap(text, texts, 13)).toBeLessThan(0.1)
    expect(split.byDomain.manuals.overlapping).toBeGreaterThan(0)
    expect(split.byDomain.prose).toMatchObject({ documents: 121, wanted: 12, heldOut: 12 })
  })

  it('loses no document and counts all of them', async () => {
    const documents = corpus()
    const split = await splitHeldOut(() => streamOf(documents), { fractionByDomain: { prose: 0.2 }, seed: 2 })
    const training = await collect(split.training)
    const ids = [...training, ...split.heldOut].map(({ id }) => id)
    expect(ids.sort()).toEqual(documents.map(({ id }) => id).sort())
    const funnel = split.funnel()
    expect(funnel).toMatchObject({
      step: 'split',
      documentsIn: documents.length,
      documentsOut: training.length,
    })
    expect(funnel.dropped['held-out'].documents).toBe(split.heldOut.length)
    expect(split.heldOut.every(({ meta }) => meta.domain === 'prose')).toBe(true)
  })

  it('is the same for the same seed and another for another', async () => {
    const held = async (seed: number) => {
      const split = await splitHeldOut(() => streamOf(corpus()), { fractionByDomain: 0.1, seed })
      return split.heldOut.map(({ id }) => id)
    }
    expect(await held(3)).toEqual(await held(3))
    expect(await held(3)).not.toEqual(await held(4))
  })

  it('never holds out more than half of a domain', async () => {
    const documents = [document(numbered(0, 40)), document(numbered(50, 90)), document(numbered(100, 140))]
    const options = { fractionByDomain: 0.1, minDocuments: 100, seed: 1 }
    expect((await splitHeldOut(() => streamOf(documents), options)).heldOut).toHaveLength(1)
    expect((await splitHeldOut(() => streamOf(documents.slice(1, 2)), options)).heldOut).toHaveLength(0)
  })
})
