import { describe, expect, it } from 'vitest'
import { applyRules, onlyFor, type Rule, type Verdict } from '../../src/curate/index.ts'
import { collect, document, streamOf } from './documents.ts'

const longerThan = (length: number): Rule => ({
  name: 'longerThan',
  judge: (batch) =>
    batch.map(
      ({ text }): Verdict =>
        text.length > length
          ? { keep: true }
          : { keep: false, rule: 'longerThan', value: text.length, threshold: length },
    ),
})

const shouting: Rule = {
  name: 'shouting',
  judge: (batch) =>
    batch.map(({ text }): Verdict => ({ keep: true, changes: { text: text.replaceAll('!', '') } })),
}

describe('a funnel', () => {
  it('accounts for every document and byte, in all and by source, edits included', async () => {
    const documents = Array.from({ length: 40 }, (_, i) =>
      document(`${'ä'.repeat(i)}!!`, { id: `d${i}`, source: i % 3 === 0 ? 'a' : 'b' }),
    )
    const { kept, funnel } = applyRules(streamOf(documents), [longerThan(10), shouting, longerThan(20)], {
      step: 'quality',
    })
    const stayed = await collect(kept)
    const counts = funnel()
    expect(counts.step).toBe('quality')
    expect(counts.documentsIn).toBe(40)
    expect(counts.documentsOut).toBe(stayed.length)
    expect(counts.bytesIn).toBe(documents.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0))
    expect(counts.bytesOut).toBe(stayed.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0))
    const dropped = Object.values(counts.dropped)
    expect(dropped.reduce((sum, { documents }) => sum + documents, 0)).toBe(40 - stayed.length)
    const droppedBytes = dropped.reduce((sum, { bytes }) => sum + bytes, 0)
    expect(counts.edited.shouting).toEqual({ documents: stayed.length, bytes: 2 * stayed.length })
    expect(counts.bytesIn).toBe(counts.bytesOut + droppedBytes + counts.edited.shouting.bytes)
    const sources = Object.values(counts.bySource)
    expect(sources.reduce((sum, { documentsIn }) => sum + documentsIn, 0)).toBe(40)
    expect(sources.reduce((sum, { bytesOut }) => sum + bytesOut, 0)).toBe(counts.bytesOut)
  })

  it('shows at most five dropped documents and cuts no character in two', async () => {
    const documents = Array.from({ length: 8 }, () => document(`${'x'.repeat(299)}😀${'y'.repeat(50)}`))
    const { kept, funnel } = applyRules(streamOf(documents), [longerThan(1000)])
    await collect(kept)
    const { examples } = funnel().dropped.longerThan
    expect(examples).toHaveLength(5)
    expect(examples[0]).toMatchObject({ source: 'test', value: 351, threshold: 1000 })
    expect(examples[0].excerpt).toBe('x'.repeat(299))
  })

  it('tells of every document once, in order, a dropped one as it came in', async () => {
    const told: string[] = []
    const documents = ['aa!', 'bbbbbb!', 'c!', 'dddddd!'].map((text) => document(text))
    const { kept } = applyRules(streamOf(documents, 2), [shouting, longerThan(3)], {
      onVerdict: ({ text }, verdict) => {
        told.push(`${text} ${verdict.keep}`)
      },
    })
    await collect(kept)
    expect(told).toEqual(['aa! false', 'bbbbbb true', 'c! false', 'dddddd true'])
  })

  it('fails when a rule forgets a document', async () => {
    const forgetful: Rule = {
      name: 'forgetful',
      judge: (batch) => batch.slice(1).map(() => ({ keep: true })),
    }
    const { kept } = applyRules(streamOf([document('a'), document('b')]), [forgetful])
    await expect(collect(kept)).rejects.toThrow('The rule forgetful gave 1 verdicts for 2 documents')
  })

  it('takes an empty stream', async () => {
    const { kept, funnel } = applyRules(streamOf([]), [shouting])
    expect(await collect(kept)).toEqual([])
    expect(funnel().documentsIn).toBe(0)
  })

  it('leaves documents of other domains alone', async () => {
    const documents = [
      document('short', { meta: { domain: 'code' } }),
      document('short', { meta: { domain: 'prose' } }),
      document('tiny', { source: 'wordnet' }),
    ]
    const rule = onlyFor(longerThan(100), { domains: ['code'], sources: ['wordnet'] })
    const { kept } = applyRules(streamOf(documents), [rule])
    expect((await collect(kept)).map(({ meta }) => meta.domain)).toEqual(['prose'])
  })
})
