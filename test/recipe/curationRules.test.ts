import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Document, readDocuments } from '../../src/corpus/index.ts'
import { Random } from '../../src/random/random.ts'
import { defineRecipe, runRecipe } from '../../src/recipe/index.ts'
import { encodeModel } from '../curate/slowFastText.ts'
import { prose } from './pipelineTexts.ts'

const scratch = mkdtempSync(join(tmpdir(), 'smolforge-curation-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** Knows two words, and says `hq` of texts with the first. */
const model = encodeModel({
  dimensions: 2,
  wordNgrams: 1,
  loss: 3,
  buckets: 0,
  shortest: 0,
  longest: 0,
  words: [
    ['excellent', 5],
    ['poor', 5],
  ],
  labels: [
    ['__label__hq', 5],
    ['__label__cc', 5],
  ],
  input: [
    [1, -1],
    [-1, 1],
  ],
  output: [
    [3, -3],
    [-3, 3],
  ],
})

describe('a recipe with address lists, a fastText filter and masking', () => {
  it('drops and masks what its sections say, with files beside the recipe', async () => {
    const random = new Random(4)
    const page = (id: string, url: string, end: string) => ({ id, url, text: `${prose(random)}\n${end}` })
    const pages = [
      page('good', 'https://good.org/', 'An excellent page by ann@corp.org.'),
      page('listed', 'https://www.bad.org/', 'An excellent page.'),
      page('poor', 'https://good.org/2', 'A poor page.'),
    ]
    writeFileSync(join(scratch, 'pages.jsonl'), pages.map((line) => `${JSON.stringify(line)}\n`).join(''))
    writeFileSync(join(scratch, 'bad.txt'), 'bad.org\n')
    writeFileSync(join(scratch, 'hq.bin'), model)
    const recipe = defineRecipe({
      name: 'rules',
      sources: [{ name: 'pages', domain: 'web', licence: 'CC0-1.0', path: 'pages.jsonl' }],
      curate: {
        urls: { domainFiles: ['bad.txt'] },
        fastText: [{ domains: ['web'], model: 'hq.bin', keepLabels: { hq: 0.7 } }],
        mask: {},
      },
      model: {
        hiddenSize: 16,
        numHiddenLayers: 1,
        numAttentionHeads: 2,
        numKeyValueHeads: 1,
        intermediateSize: 32,
      },
      stages: [{ tokens: 1_000_000, mixture: { web: 1 } }],
    })
    const runDir = join(scratch, 'run')
    await runRecipe(recipe, { runDir, baseDir: scratch, until: ['mask'], thread: 'here' })
    const kept: Document[] = []
    for await (const batch of readDocuments(join(runDir, 'steps/mask/documents.jsonl.zst')))
      kept.push(...batch)
    expect(kept.map(({ url }) => url)).toEqual(['https://good.org/'])
    expect(kept[0].text).toContain('email@example.com')
    const dropped = ['urls', 'fast-text'].flatMap((step) => {
      const funnel = JSON.parse(readFileSync(join(runDir, 'steps', step, 'funnel.json'), 'utf8'))
      return Object.keys(funnel.dropped)
    })
    expect(dropped).toEqual(['urlFilter.domain', 'fastText.keepLabels'])
  })

  it('is refused when a filter names no label, or a domain that no source has', () => {
    const recipe = (curate: object) => () =>
      defineRecipe({
        name: 'rules',
        sources: [{ name: 'pages', domain: 'web', licence: 'CC0-1.0', path: 'pages.jsonl' }],
        curate,
        model: {
          hiddenSize: 16,
          numHiddenLayers: 1,
          numAttentionHeads: 2,
          numKeyValueHeads: 1,
          intermediateSize: 32,
        },
        stages: [{ tokens: 1_000_000, mixture: { web: 1 } }],
      })
    expect(recipe({ fastText: [{ model: 'hq.bin' }] })).toThrow(/keepLabels/)
    expect(recipe({ mask: { domains: ['wbe'] } })).toThrow(/no source has the domain wbe/)
  })
})
