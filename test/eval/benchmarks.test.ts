import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BenchmarkName, benchmarkNames, benchmarkTask } from '../../src/eval/index.ts'
import { readJsonLines } from '../../src/files/jsonl.ts'

const shared = new URL('../../../shared/', import.meta.url).pathname
const benchmarks = join(shared, 'benchmarks')
const reference = join(shared, 'reference/items.jsonl')

describe('benchmark files', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'smolforge-benchmarks-'))
  })
  afterAll(() => rm(dir, { recursive: true }))

  const write = async (name: string, rows: unknown[]) => {
    const path = join(dir, name)
    const text = rows.map((row) => JSON.stringify(row)).join('\n')
    await writeFile(path, name.endsWith('.gz') ? gzipSync(text) : text)
    return path
  }

  it('become the prompts and choices of the SmolLM2 evaluation', async () => {
    const choices = { text: ['red', 'blue'], label: ['A', 'B'] }
    const rows: [BenchmarkName, unknown, { prompt: string; choices: string[]; gold: number }][] = [
      [
        'arc_easy',
        { question: 'Why?', choices, answerKey: 'B' },
        { prompt: 'Question: Why?\nAnswer:', choices: [' red', ' blue'], gold: 1 },
      ],
      [
        'openbookqa',
        { question_stem: 'The sky is', choices, answerKey: 'B' },
        { prompt: 'The sky is', choices: [' red', ' blue'], gold: 1 },
      ],
      [
        'commonsense_qa',
        { question: 'What colour?', choices, answerKey: 'A' },
        { prompt: 'What colour?', choices: [' red', ' blue'], gold: 0 },
      ],
      [
        'piqa',
        { goal: 'Go.', sol1: 'Walk', sol2: 'Sit', label: 0 },
        { prompt: 'Question: Go.\nAnswer:', choices: [' Walk', ' Sit'], gold: 0 },
      ],
      [
        'hellaswag',
        { ctx: 'Run: a man', endings: ['runs.', 'sits.'], label: '1' },
        { prompt: 'Run: a man', choices: [' runs.', ' sits.'], gold: 1 },
      ],
      [
        'winogrande',
        { sentence: 'Ann met Eve, so _ smiled.', option1: 'Ann', option2: 'Eve', answer: '2' },
        { prompt: 'Ann met Eve, so', choices: [' Ann smiled.', ' Eve smiled.'], gold: 1 },
      ],
    ]
    for (const [name, row, expected] of rows) {
      const task = await benchmarkTask(name, await write(`${name}.jsonl.gz`, [row]))
      expect(task.items[0]).toMatchObject(expected)
    }
  })

  it('put solved examples before a few-shot question', async () => {
    const path = await write('gsm8k.jsonl', [{ question: 'How many?', answer: 'Two and two.\n#### 4' }])
    const examples = [{ question: 'One?', answer: 'So.\n#### 1' }]
    const task = await benchmarkTask('gsm8k', path, { examples })
    if (task.kind !== 'generative') throw new Error('gsm8k is generative')
    expect(task.preamble).toBe('Question: One?\nAnswer: So.\n#### 1\n\n')
    expect(task.items[0]).toMatchObject({ prompt: 'Question: How many?\nAnswer:', gold: '4' })
    expect(task.shots).toBe(1)
    expect(task.isRight('It is so.\n#### 4', '4')).toBe(true)
  })

  it('that are damaged or of another benchmark give an error with the line', async () => {
    const path = await write('piqa.jsonl', [{ goal: 'a', sol1: 'b', sol2: 'c', label: 1 }, { goal: 'a' }])
    await expect(benchmarkTask('piqa', path)).rejects.toMatchObject({
      code: 'input',
      place: { file: path, line: 2 },
    })
    const key = await write('arc.jsonl', [
      { question: 'a', choices: { text: ['x', 'y'], label: ['A', 'B'] }, answerKey: 'E' },
    ])
    await expect(benchmarkTask('arc_easy', key)).rejects.toMatchObject({ code: 'input' })
    const cut = join(dir, 'cut.jsonl.gz')
    await writeFile(cut, gzipSync('{"goal": 1}'.repeat(100)).subarray(0, 20))
    await expect(benchmarkTask('piqa', cut)).rejects.toMatchObject({ code: 'damaged', place: { file: cut } })
    await expect(benchmarkTask('piqa', join(dir, 'none.jsonl'))).rejects.toMatchObject({ code: 'input' })
  })
})

describe.skipIf(!existsSync(benchmarks))(
  'the published benchmarks (skipped: no ../shared/benchmarks)',
  () => {
    it.each(benchmarkNames())('%s is read to its last row', async (name) => {
      const task = await benchmarkTask(name, join(benchmarks, `${name}.jsonl.gz`))
      expect(task.items.length).toBeGreaterThan(100)
    })

    it.skipIf(!existsSync(reference))(
      'have prompts, choices and gold answers like the reference items',
      async () => {
        let compared = 0
        const tasks = new Map<
          string,
          { byPrompt: Map<string, { choices: readonly string[]; gold: number }> }
        >()
        for await (const { value } of readJsonLines(reference)) {
          const item = value as { task: BenchmarkName; prompt: string; choices: string[]; gold: number }
          if (!tasks.has(item.task)) {
            const task = await benchmarkTask(item.task, join(benchmarks, `${item.task}.jsonl.gz`))
            if (task.kind !== 'choice') throw new Error('not a choice task')
            tasks.set(item.task, {
              byPrompt: new Map(task.items.map((own) => [`${own.prompt}\n${own.choices.join('\n')}`, own])),
            })
          }
          const own = tasks.get(item.task)?.byPrompt.get(`${item.prompt}\n${item.choices.join('\n')}`)
          expect(own, `${item.task}: ${item.prompt}`).toBeDefined()
          expect(own?.gold).toBe(item.gold)
          compared++
        }
        expect(compared).toBe(320)
      },
    )
  },
)
