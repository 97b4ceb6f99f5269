import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { textHashOf } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { jsonLines, root, scratchFolder, smolforge } from '../recipe/child.ts'

const scratch = await scratchFolder()
const file = (name: string) => join(scratch, name)
const cli = (...args: string[]) => smolforge(['classifier', ...args], { cwd: scratch })
const lastLine = (stderr: string) => JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '')
const readJsonl = async (name: string) => jsonLines(await readFile(file(name), 'utf8'))

const GOOD = ['because', 'therefore', 'theorem', 'example', 'proof']
const BAD = ['casino', 'click', 'unsubscribe', 'discount', 'login']
const random = new Random(8)
const documents = Array.from({ length: 600 }, (_, i) => {
  const label = random.int(6)
  const words = Array.from({ length: 40 }, () => random.pick(random.float() < label / 5 ? GOOD : BAD))
  return { id: `d${i}`, domain: i % 3 === 0 ? 'web' : 'books', text: `${i} ${words.join(' ')}`, label }
})

beforeAll(async () => {
  const lines = (values: readonly object[]) => values.map((one) => `${JSON.stringify(one)}\n`).join('')
  await writeFile(file('docs.jsonl'), lines(documents.map(({ label: _, ...document }) => document)))
  const labels = documents
    .slice(0, 400)
    .map(({ id, text, label }) => ({ id, label, textHash: textHashOf(text) }))
  const stale = { id: 'd500', label: 1, textHash: '0123456789abcdef' }
  const failed = { id: 'd501', label: null, failure: 'HTTP 500' }
  await writeFile(file('labels.jsonl'), lines([...labels, stale, failed, { id: 'gone', label: 2 }]))
  await writeFile(
    file('people.jsonl'),
    lines(documents.slice(400).map(({ text, label }) => ({ text, label }))),
  )
})

describe('smolforge classifier', () => {
  test('train, evaluate and score: from labels and documents to what is kept, and pages that show it', async () => {
    const trained = await cli(
      'train',
      '--input',
      'docs.jsonl',
      '--labels',
      'labels.jsonl',
      '--output',
      'edu',
      '--json',
    )
    expect(trained.code, trained.stderr).toBe(0)
    expect(trained.stderr).toContain(
      '400 examples, without 2 labels whose document is not there or has changed',
    )
    const [{ evaluation, threshold }] = jsonLines(trained.stdout)
    expect(evaluation).toMatchObject({ trainingExamples: 360, heldOutExamples: 40 })
    expect(threshold).toBe(2.5)
    expect(lastLine(trained.stderr)).toMatchObject({
      documents: 600,
      dropped: { 'without-text': 2 },
      damaged: 0,
    })
    expect(JSON.parse(await readFile(file('edu/evaluation.json'), 'utf8'))).toEqual(evaluation)
    expect(await readFile(file('edu/report.html'), 'utf8')).toContain('"format":"smolforge-classifier"')

    const evaluated = await cli(
      'evaluate',
      '--classifier',
      'edu',
      '--labels',
      'people.jsonl',
      '--json',
      '--output',
      'people',
    )
    expect(evaluated.code, evaluated.stderr).toBe(0)
    const people = jsonLines(evaluated.stdout)[0].evaluation as { f1: number; heldOutExamples: number }
    expect(people.heldOutExamples).toBe(200)
    expect(people.f1).toBeGreaterThan(0.85)

    const common = ['score', '--classifier', 'edu', '--input', 'docs.jsonl']
    const scored = await cli(...common, '--output', 'scores.jsonl', '--threads', '1')
    expect(scored.code, scored.stderr).toBe(0)
    const scores = await readJsonl('scores.jsonl')
    expect(scores.map(({ id }) => id)).toEqual(documents.map(({ id }) => id))
    for (const { keep, score } of scores) expect(keep).toBe(Number(score) >= 2.5)

    const best = await cli(
      ...common,
      '--output',
      'best.jsonl',
      '--keep',
      '0.25',
      '--report',
      'best.html',
      '--json',
    )
    expect(best.code, best.stderr).toBe(0)
    const kept = (await readJsonl('best.jsonl')).filter(({ keep }) => keep)
    expect(kept.length).toBeGreaterThanOrEqual(150)
    expect(kept.length).toBeLessThan(160)
    expect(jsonLines(best.stdout)[0]).toMatchObject({ documents: 600, kept: kept.length })
    expect(lastLine(best.stderr)).toMatchObject({
      documents: 600,
      dropped: { classifier: 600 - kept.length },
    })
    const page = await readFile(file('best.html'), 'utf8')
    expect(page).toContain('"byDomain":{"')
    const drawn = JSON.parse(/<script id="report-data"[^>]*>([^<]*)</.exec(page)?.[1] ?? '')
    const inBooks = kept.filter(({ id }) => documents.find((one) => one.id === id)?.domain === 'books')
    expect(drawn.kept.books.documents).toBe(inBooks.length)
    expect(drawn.kept.web.documents).toBe(kept.length - inBooks.length)
  })

  test('learns from the embeddings of an encoder, and lets its scores teach a linear one', async () => {
    const encoder = join(root, 'test/fixtures/encoders/bert')
    await cp(encoder, file('encoder'), { recursive: true })
    const common = ['--input', 'docs.jsonl', '--labels', 'labels.jsonl', '--threads', '1']
    const trained = await cli(
      'train',
      ...common,
      '--output',
      'embed',
      '--embed',
      'encoder',
      '--max-tokens',
      '40',
    )
    expect(trained.code, trained.stderr).toBe(0)
    expect(trained.stdout).toContain('400 of 400 texts embedded')
    const moved = ['--classifier', 'embed', '--encoder', encoder, '--input', 'docs.jsonl']
    const scored = await cli('score', ...moved, '--output', 'embed.jsonl')
    expect(scored.code, scored.stderr).toBe(0)
    const distilled = await cli(
      ...[
        'train',
        '--input',
        'docs.jsonl',
        '--labels',
        'embed.jsonl',
        '--output',
        'fast',
        '--characters',
        '2-3',
        '--json',
      ],
    )
    expect(distilled.code, distilled.stderr).toBe(0)
    const [{ features, evaluation }] = jsonLines(distilled.stdout)
    expect(features).toContain('2 to 3 characters')
    expect(evaluation).toMatchObject({ trainingExamples: 540, heldOutExamples: 60 })
    const other = await cli(
      'score',
      '--classifier',
      'embed',
      '--encoder',
      join(encoder, '../roberta'),
      '--input',
      'docs.jsonl',
      '--output',
      'x.jsonl',
    )
    expect(other).toMatchObject({ code: 4, stderr: expect.stringContaining('not the encoder') })
  })

  test('counts lines that are no documents, and says what is wrong in a word', async () => {
    await writeFile(
      file('bad.jsonl'),
      '{"id":"a","text":"because theorem"}\nno JSON\n{"id":"b"}\n{"url":"http://x","text":"casino"}\n',
    )
    const scored = await cli(
      'score',
      '--classifier',
      'edu',
      '--input',
      'bad.jsonl',
      '--output',
      'bad-scores.jsonl',
    )
    expect(scored.code, scored.stderr).toBe(0)
    expect((await readJsonl('bad-scores.jsonl')).map(({ id }) => id)).toEqual(['a', 'http://x'])
    expect(lastLine(scored.stderr)).toMatchObject({ documents: 2, damaged: 2 })
    const unjoined = await cli('train', '--labels', 'labels.jsonl', '--output', 'x')
    expect(unjoined).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--input with the documents is missing'),
    })
    const twice = await cli(
      'score',
      '--classifier',
      'edu',
      '--input',
      'bad.jsonl',
      '--output',
      'x',
      '--keep',
      '1',
      '--threshold',
      '1',
    )
    expect(twice.code).toBe(2)
    const none = await cli('score', '--classifier', 'docs.jsonl', '--input', 'bad.jsonl', '--output', 'x')
    expect(none).toMatchObject({ code: 4, stderr: expect.stringContaining('no classifier') })
  })
})
