import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Document, writeDocuments } from '../../src/corpus/index.ts'
import { HELD_OUT } from '../../src/recipe/steps/curation.ts'
import { heldOutTexts } from '../../src/recipe/steps/heldOut.ts'
import { scratchFolder } from './child.ts'

const folder = await scratchFolder()

test('held-out text is a stretch of many documents, whole lines, never more than was asked for', async () => {
  const lines = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${name} line ${i} é\n`).join('')
  const documents = [
    ...Array.from({ length: 20 }, (_, i) => document(`small${i}`, 'prose', lines(`s${i}`, 10))),
    document('huge', 'prose', lines('huge', 5000)),
    document('only', 'code', lines('only', 2000)),
  ]
  await writeDocuments(join(folder, HELD_OUT), batches(documents))
  const texts = await heldOutTexts(folder, 6000)
  expect(Object.keys(texts)).toEqual(['code', 'prose'])
  expect(texts.prose.length).toBeGreaterThanOrEqual(12)
  for (const [domain, found] of Object.entries(texts)) {
    const bytes = found.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
    expect(bytes).toBeLessThanOrEqual(6000)
    expect(bytes).toBeGreaterThan(domain === 'code' ? 5900 : 2000)
    for (const { text } of found) {
      expect(documents.some((whole) => `\n${whole.text}`.includes(`\n${text}`))).toBe(true)
      expect(text).not.toContain('\uFFFD')
    }
  }
  expect(await heldOutTexts(folder, 6000)).toEqual(texts)
})

function document(id: string, domain: string, text: string): Document {
  return { id, text, source: domain, licence: 'CC0-1.0', scores: {}, meta: { domain } }
}

async function* batches(documents: Document[]) {
  yield documents
}
