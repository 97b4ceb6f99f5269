import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decontaminateFile, readBenchmarkItems } from '../../src/curate/index.ts'
import { numbered } from './documents.ts'

const folder = mkdtempSync(join(tmpdir(), 'smolforge-decontaminate-'))
const jsonLines = (values: readonly object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('')

function write(name: string, values: readonly object[]): string {
  const path = join(folder, name)
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(jsonLines(values)) : jsonLines(values))
  return path
}

const question = 'A train leaves the station at noon with forty passengers and travels north for ninety miles'
const items = write('sums.jsonl.gz', [
  { _i: 0, id: 'train', question, answer: 'It takes two hours.', subject: numbered(0, 30) },
  { question: 'Which of these eight words is the answer?', choices: { text: ['a', 'b'], label: ['A', 'B'] } },
  { question: 'What is it?', choices: ['A very long stone', 'a bird'] },
  { question: 'Why?' },
])
const texts = [
  `Homework: ${question}. Then some more words.`,
  'Nothing of the kind, only a train that leaves the station at noon.',
  `${question.split(' ').slice(0, 13).join(' ')} after which everything in this sentence is of another kind`,
  'Tell me: which of THESE eight words is the “answer”?',
  `${numbered(0, 30)}`,
  'What is it? A very long stone, a bird!',
]

async function decide(options: object) {
  const input = write(
    'docs.jsonl',
    texts.map((text, i) => ({ id: i === 0 ? '"first"' : i, text })),
  )
  const output = join(folder, 'out.jsonl')
  const report = await decontaminateFile({ input, output, against: [items], ...options })
  const lines = readFileSync(output, 'utf8').trimEnd().split('\n')
  return { report, lines: lines.map((line) => JSON.parse(line)) }
}

describe('decontamination of a file', () => {
  it('drops documents with thirteen words in a row of an item, and short items as a whole', async () => {
    const { lines, report } = await decide({})
    expect(lines).toEqual([
      { id: '"first"', keep: false, rule: 'decontamination', value: 4, item: 'sums:train' },
      { id: 1, keep: true, rule: null, value: 0 },
      { id: 2, keep: false, rule: 'decontamination', value: 1, item: 'sums:train' },
      { id: 3, keep: false, rule: 'decontamination', value: 1, item: 'sums:2' },
      { id: 4, keep: true, rule: null, value: 0 },
      { id: 5, keep: false, rule: 'decontamination', value: 1, item: 'sums:3' },
    ])
    expect(report.tooShort).toEqual(['sums:4'])
    expect(report.against).toEqual([{ file: items, items: 4, contaminated: 3, tooShort: 1 }])
  })

  it('asks for most of the item in order when a share of it is given, and says how near a kept one came', async () => {
    const { lines } = await decide({ minSubsequence: 0.9 })
    expect(lines[0]).toEqual({
      id: '"first"',
      keep: false,
      rule: 'decontamination',
      value: 1,
      item: 'sums:train',
    })
    expect(lines[2]).toEqual({ id: 2, keep: true, rule: null, value: 0.8125, item: 'sums:train' })
  })

  it('writes the documents that stay with their texts when that is asked for', async () => {
    for (const options of [{}, { minSubsequence: 0.9 }]) {
      const kept = join(folder, 'kept.jsonl')
      const { lines } = await decide({ ...options, texts: kept })
      const expected = lines.flatMap(({ id, keep }, i) => (keep ? [{ id, text: texts[i] }] : []))
      expect(expected.length).toBeGreaterThan(1)
      expect(readFileSync(kept, 'utf8')).toBe(jsonLines(expected))
    }
  })

  it('reports by item the passages that match, for scripts and for readers', async () => {
    const report = join(folder, 'report.json')
    await decide({ report })
    const { items: found } = JSON.parse(readFileSync(report, 'utf8'))
    expect(found[0]).toMatchObject({ id: 'sums:train', line: 1, dropped: 2, text: question })
    expect(found[0].examples[0]).toMatchObject({
      document: '"first"',
      shared: 4,
      share: 1,
      passage: question,
    })
    const markdown = readFileSync(join(folder, 'report.md'), 'utf8')
    expect(markdown).toContain('| sums.jsonl.gz | 4 | 3 | 1 |')
    expect(markdown).toContain('> which of THESE eight words is the “answer')
  })

  it('looks for the fields that are named only', async () => {
    expect((await decide({ fields: ['subject'] })).lines.map(({ keep }) => keep)).toEqual([
      true,
      true,
      true,
      true,
      false,
      true,
    ])
    await expect(decide({ fields: ['querry'] })).rejects.toMatchObject({ code: 'input' })
  })

  it('names the line of a benchmark that is no JSON object', async () => {
    const broken = join(folder, 'broken.jsonl')
    writeFileSync(broken, '{"text":"fine"}\n[1]\n')
    await expect(readBenchmarkItems(broken)).rejects.toMatchObject({
      code: 'input',
      place: { file: broken, line: 2 },
    })
  })
})
