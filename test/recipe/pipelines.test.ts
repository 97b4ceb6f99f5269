import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Document, readSource } from '../../src/corpus/index.ts'
import { Random } from '../../src/random/random.ts'
import { type PipelineOptions, type RunEvent, runPipeline } from '../../src/recipe/index.ts'
import { lesson, prose, worked } from './pipelineTexts.ts'

const scratch = mkdtempSync(join(tmpdir(), 'smolforge-pipelines-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const lines = (name: string, values: readonly object[]) => {
  const path = join(scratch, name)
  writeFileSync(path, values.map((value) => `${JSON.stringify(value)}\n`).join(''))
  return path
}

const options = (given: Partial<PipelineOptions> & { input: string }): PipelineOptions => ({
  name: 'test',
  licence: 'unknown',
  seed: 1,
  seeds: 200,
  languages: ['eng'],
  domainFiles: [],
  urlFiles: [],
  against: [],
  madeBy: 'smolforge curate',
  ...given,
})

async function documentsOf(folder: string): Promise<Document[]> {
  const documents: Document[] = []
  const source = { name: 'x', domain: 'x', licence: 'x', path: join(folder, 'dataset/data') }
  const read = readSource(source, { cacheDir: '', baseDir: '', keepRecords: true, onDamage: () => {} })
  for await (const batch of read) documents.push(...batch)
  return documents
}

const funnelSums = (steps: readonly { documentsIn: number; documentsOut: number; dropped: object }[]) =>
  steps.every(({ documentsIn, documentsOut, dropped }) => {
    const gone = Object.values(dropped as Record<string, number>).reduce((sum, count) => sum + count, 0)
    return documentsIn === documentsOut + gone
  })

describe('fineweb-edu', () => {
  const random = new Random(1)
  const lessons = Array.from({ length: 60 }, (_, i) => ({
    id: `good-${i}`,
    text: lesson(random),
    url: `https://a.org/${i}`,
  }))
  const others = Array.from({ length: 60 }, (_, i) => ({
    id: `poor-${i}`,
    text: prose(random),
    url: `https://b.org/${i}`,
  }))
  const bad = [
    { id: 'short', text: 'Too short.', url: 'https://c.org/1' },
    {
      id: 'german',
      text: 'Der Ausschuss hat beschlossen, dass die Berichte und die Zahlen nicht vor dem Ende des Jahres zu sehen sind. '.repeat(
        3,
      ),
      url: 'https://c.org/2',
    },
    { id: 'copy', text: lessons[3].text, url: 'https://c.org/3' },
    { id: 'blocked', text: lesson(random), url: 'https://www.bad.co.uk/' },
  ]
  const mail = {
    id: 'mail',
    text: `${lesson(random)}\nThe teacher can be asked for the answer at jane@corp.org.`,
    url: 'https://a.org/m',
  }
  const input = lines('pages.jsonl', [...lessons, ...others, ...bad, mail])
  const labels = lines('labels.jsonl', [
    ...Array.from({ length: 80 }, () => ({ text: lesson(random), label: 4 })),
    ...Array.from({ length: 80 }, () => ({ text: prose(random), label: 1 })),
  ])
  const blocked = join(scratch, 'blocked.txt')
  writeFileSync(blocked, 'bad.co.uk\n')
  const given = options({ input, labels, domainFiles: [blocked] })
  const output = join(scratch, 'edu')

  it('keeps what its labels call good, and tells where everything else went', async () => {
    const { funnel, done } = await runPipeline('fineweb-edu', given, { output, thread: 'here' })
    expect(done).toEqual(['read', 'url', 'language', 'quality', 'dedup', 'score', 'pii', 'data-set'])
    const kept = await documentsOf(output)
    expect(kept.map(({ id }) => id).sort()).toEqual([...lessons, mail].map(({ id }) => id).sort())
    expect(kept.every(({ language, scores }) => language === 'eng' && scores.edu >= 3)).toBe(true)
    expect(kept.find(({ id }) => id === 'mail')?.text).toContain('email@example.com')
    expect(funnelSums(funnel.steps)).toBe(true)
    const dropped = Object.assign({}, ...funnel.steps.map((step) => step.dropped))
    expect(dropped).toMatchObject({
      'urlFilter.domain': 1,
      'language.keep': 1,
      exactDedup: 1,
    })
    expect(dropped['score.edu']).toBeGreaterThan(50)
    const card = readFileSync(join(output, 'README.md'), 'utf8')
    expect(card).toContain('# test')
    expect(card).toMatch(/score\.edu/)
  })

  it('does only what is missing when it is run again, and what follows when an option changes', async () => {
    expect((await runPipeline('fineweb-edu', given, { output, thread: 'here' })).done).toEqual([])
    const all = await runPipeline('fineweb-edu', { ...given, keepFraction: 0.25 }, { output, thread: 'here' })
    expect(all.done).toEqual(['score', 'pii', 'data-set'])
    const scored = all.funnel.steps.find(({ step }) => step === 'score')?.documentsIn ?? 0
    expect(scored).toBeGreaterThan(100)
    expect((await documentsOf(output)).length).toBe(Math.ceil(0.25 * scored))
  })

  it('goes on after a stop, to the same bytes', async () => {
    const cut = join(scratch, 'cut')
    const stop = { stopped: false }
    const onEvent = (event: RunEvent) => {
      if (event.type === 'step-started' && event.step === 'quality') stop.stopped = true
    }
    await expect(
      runPipeline('fineweb-edu', given, { output: cut, stop, onEvent, thread: 'here' }),
    ).rejects.toMatchObject({
      code: 'interrupted',
    })
    const { kept } = await runPipeline('fineweb-edu', given, { output: cut, thread: 'here' })
    expect(kept).toEqual(['read', 'url', 'language'])
    await runPipeline('fineweb-edu', given, { output, thread: 'here' })
    const [file] = readdirSync(join(cut, 'dataset/data'))
    const bytes = (folder: string) => readFileSync(join(folder, 'dataset/data', file))
    expect(bytes(cut).equals(bytes(output))).toBe(true)
  })
})

describe('finemath', () => {
  it('recalls the pages of promising domains and listed addresses, and keeps those with reasoning', async () => {
    const random = new Random(5)
    const page = (domain: string, i: number, text: string) => ({
      id: `${domain}-${i}`,
      text,
      url: `https://www.${domain}/${i}`,
    })
    const pages = [
      ...Array.from({ length: 20 }, (_, i) =>
        page('maths.org', i, i % 2 === 0 ? worked(random) : prose(random)),
      ),
      ...Array.from({ length: 40 }, (_, i) => page('news.org', i, prose(random))),
      page('listed.org', 0, prose(random)),
    ]
    const urls = join(scratch, 'urls.txt')
    writeFileSync(urls, 'https://www.listed.org/0\n')
    const item = 'How many apples has the man who had seven apples and gave three of them to his only sister'
    pages.push(page('maths.org', 99, `${worked(random)}\n${item}`))
    const output = join(scratch, 'maths')
    const { funnel } = await runPipeline(
      'finemath',
      options({
        input: lines('maths.jsonl', pages),
        urlFiles: [urls],
        against: [lines('items.jsonl', [{ question: item }])],
      }),
      { output, thread: 'here' },
    )
    const domains = JSON.parse(readFileSync(join(output, 'steps/domains/domains.json'), 'utf8'))
    expect(domains.promising).toEqual(['maths.org'])
    const recall = funnel.steps[0]
    expect(recall).toMatchObject({ step: 'recall', documentsIn: 62, documentsOut: 22 })
    const kept = (await documentsOf(output)).map(({ id }) => id)
    expect(kept.filter((id) => id.startsWith('maths.org')).length).toBe(kept.length)
    expect(kept).not.toContain('maths.org-99')
    expect(kept).toEqual(expect.arrayContaining(['maths.org-0', 'maths.org-10', 'maths.org-18']))
    expect(kept).not.toContain('maths.org-1')
    expect(funnelSums(funnel.steps)).toBe(true)
  })
})

describe('stack-edu', () => {
  it('keeps wanted languages under permissive licences, without generated files and with secrets masked', async () => {
    const token = ['npm', 'aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5'].join('_')
    const python = (name: string) =>
      `"""Compute the ${name} of a list of numbers, with an example for each step."""\n\ndef compute_${name}(list_of_numbers):\n    """Return the ${name} of the numbers.\n\n    >>> compute_${name}([1, 2])\n    """\n    # The first step adds the next number to the result.\n    result_so_far = 0\n    for next_number in list_of_numbers:\n        # Every number counts once.\n        result_so_far += next_number\n    return result_so_far\n\n\ndef show_${name}(text_to_show):\n    # Shown for the reader.\n    print(text_to_show)\n`
    const files = [
      { path: 'src/sum.py', text: python('sum'), license: 'MIT' },
      {
        path: 'src/total',
        text: `#!/usr/bin/env python3\n${python('total_value')}`,
        license: 'MIT OR GPL-3.0',
      },
      { path: 'src/client.py', text: `${python('difference')}\nTOKEN = "${token}"\n`, license: 'Apache-2.0' },
      { path: 'src/secret.py', text: python('product'), license: 'GPL-3.0' },
      { path: 'node_modules/a/index.py', text: python('quotient'), license: 'MIT' },
      { path: 'tests/fixtures/data.py', text: python('average'), license: 'MIT' },
      {
        path: 'src/made.py',
        text: `# Code generated by a tool. DO NOT EDIT.\n${python('median')}`,
        license: 'MIT',
      },
      { path: 'notes.txt', text: 'Only some words of a person about nothing in particular.', license: 'MIT' },
      { path: 'style.css', text: 'body { margin: 0; padding: 0 }\n'.repeat(9), license: 'MIT' },
    ].map((file, i) => ({ id: `f${i}`, ...file }))
    const labels = lines('code-labels.jsonl', [
      ...Array.from({ length: 40 }, (_, i) => ({
        text: python(`value_${i}`),
        label: 4,
        language: 'code-python',
      })),
      ...Array.from({ length: 40 }, (_, i) => ({
        text: `x${i} = ${i}\ny${i} = x${i}\n`.repeat(5),
        label: 1,
        language: 'code-python',
      })),
    ])
    const output = join(scratch, 'code')
    const { funnel } = await runPipeline(
      'stack-edu',
      options({ input: lines('files.jsonl', files), labels }),
      {
        output,
        thread: 'here',
      },
    )
    const kept = await documentsOf(output)
    expect(kept.map(({ meta }) => meta.path).sort()).toEqual(['src/client.py', 'src/sum.py', 'src/total'])
    expect(kept.every(({ language }) => language === 'code-python')).toBe(true)
    expect(kept.find(({ meta }) => meta.path === 'src/client.py')?.text).toContain('TOKEN = "<KEY>"')
    const dropped = Object.assign({}, ...funnel.steps.map((step) => step.dropped))
    expect(dropped).toMatchObject({
      'licence.licences': 1,
      'codeFiles.vendored': 1,
      'codeFiles.testData': 1,
      'codeLanguage.languages': 1,
      'codeLanguage.unknown': 1,
      'codeQuality.maxGeneratedMarkers': 1,
    })
  })
})

describe('a pipeline', () => {
  it('that is not there is said to be so, with the nearest name', async () => {
    const run = runPipeline('fineweb-ed', options({ input: scratch }), { output: join(scratch, 'none') })
    await expect(run).rejects.toMatchObject({ code: 'usage', hint: expect.stringContaining('fineweb-edu') })
  })
})
