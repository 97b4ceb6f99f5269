import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Document, readDocuments, writeDocuments } from '../../src/corpus/index.ts'
import { loadClassifier, textHashOf } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { curateSchema } from '../../src/recipe/schemaCurate.ts'
import { classifyStep } from '../../src/recipe/steps/classify.ts'
import { startJudge } from '../curate/judges/misbehavingServer.ts'
import { root, scratchFolder } from './child.ts'

const scratch = await scratchFolder()
const random = new Random(3)
const documents: Document[] = Array.from({ length: 300 }, (_, i) => {
  const good = random.int(6)
  const words = Array.from({ length: 30 }, () => (random.float() < good / 5 ? 'theorem' : 'casino'))
  const domain = i % 4 === 0 ? 'code' : 'web'
  return {
    id: `web:${i}`,
    source: domain,
    licence: 'x',
    text: `${i} ${words.join(' ')}`,
    scores: {},
    meta: { domain },
  }
})
const goodWords = (text: string) => text.split('theorem').length - 1
const judge = await startJudge(({ document }) => Math.round(goodWords(document) / 6))
afterAll(() => judge.close())

beforeAll(async () => {
  await mkdir(join(scratch, 'before'))
  await writeDocuments(
    join(scratch, 'before/documents.jsonl.zst'),
    (async function* () {
      yield documents
    })(),
  )
  await cp(join(root, 'test/fixtures/encoders/bert'), join(scratch, 'encoder'), { recursive: true })
})

async function classify(name: string, section: unknown) {
  const config = curateSchema.parse({ classifier: section }).classifier
  if (config === undefined) throw new Error('no classifier')
  const folder = join(scratch, name)
  await mkdir(folder)
  const places = { runDir: scratch, baseDir: scratch, cacheDir: join(scratch, 'cache'), threads: 1 }
  const inputs = { dedup: join(scratch, 'before') }
  const result = await classifyStep.run({
    ...{ name, config: { seed: 1, ...config }, folder, inputs, places },
    onProgress: () => {},
    stop: { stopped: false },
  })
  const kept: Document[] = []
  for await (const batch of readDocuments(join(folder, 'documents.jsonl.zst'))) kept.push(...batch)
  return { result, kept, folder }
}

describe('the classifier of a recipe', () => {
  test('learns from a judge, which is asked once for a document however often the step runs', async () => {
    const section = {
      domains: ['web'],
      seeds: { judge: { endpoint: judge.url, model: 'tiny', documents: 120, check: 0.1 } },
      threshold: 2.5,
    }
    const one = await classify('judged', section)
    const asked = judge.requests.length
    expect(asked).toBeGreaterThanOrEqual(120)
    expect(one.result.counts).toMatchObject({ seedExamples: 120 })
    const two = await classify('judged-again', section)
    expect(judge.requests.length).toBe(asked)
    expect(two.kept).toEqual(one.kept)
    // Documents of other domains pass, the others as the judge would have it.
    const web = documents.filter(({ source }) => source === 'web')
    expect(one.kept.filter(({ source }) => source === 'code')).toHaveLength(75)
    const agreed = web.filter(
      ({ id, text }) => one.kept.some((kept) => kept.id === id) === goodWords(text) / 6 >= 2.5,
    )
    expect(agreed.length / web.length).toBeGreaterThan(0.85)
  })

  test('learns from labels that name documents, and keeps the share that it is told', async () => {
    const labels = documents
      .slice(0, 200)
      .map(({ id, text }) => ({ id, label: Math.round(goodWords(text) / 6), textHash: textHashOf(text) }))
    const wrong = { id: 'web:250', label: 0, textHash: '00' }
    await writeFile(
      join(scratch, 'labels.jsonl'),
      [...labels, wrong].map((one) => `${JSON.stringify(one)}\n`).join(''),
    )
    const { result, kept } = await classify('share', { seeds: { file: 'labels.jsonl' }, keep: 0.3 })
    expect(result.counts).toMatchObject({ seedExamples: 200 })
    expect(kept.length).toBeGreaterThanOrEqual(90)
    expect(kept.length).toBeLessThan(95)
    expect(result.metrics?.threshold).toBeGreaterThan(2)
  })

  test('learns from embeddings, alone or through a linear classifier that learns from those', async () => {
    const section = {
      seeds: { file: 'labels.jsonl' },
      threshold: 2,
      embeddings: { model: 'encoder', maxTokens: 40 },
    }
    const embedded = await classify('embedded', section)
    const distilled = await classify('distilled', {
      ...section,
      embeddings: { ...section.embeddings, distil: 250 },
    })
    const kinds = await Promise.all(
      [embedded, distilled].map(async ({ folder }) => {
        const { EmbeddingModel } = await import('../../src/model/index.ts')
        const { header } = await loadClassifier(folder, ({ path, maxTokens }) =>
          EmbeddingModel.open(path, { maxTokens }),
        )
        return header.kind
      }),
    )
    expect(kinds).toEqual(['embedding', 'regression'])
    const teacher = JSON.parse(await readFile(join(distilled.folder, 'embeddings.json'), 'utf8'))
    expect(distilled.result.metrics?.f1).toBe(teacher.f1)
  })
})
