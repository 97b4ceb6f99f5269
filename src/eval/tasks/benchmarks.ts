import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../../errors.ts'
import { sameAnswer } from '../answers.ts'
import type { ChoiceItem, GenerativeItem, Task } from '../task.ts'

export type BenchmarkName = keyof typeof choiceRows | 'gsm8k'

export interface BenchmarkOptions {
  /** Takes only the first items. */
  limit?: number
  /** gsm8k: solved examples to put before each question, five in the published figures. */
  examples?: readonly { question: string; answer: string }[]
}

/**
 * A public benchmark from a `.jsonl` or `.jsonl.gz` file with the data set's own fields, one row a line, in the
 * prompts of the SmolLM2 evaluation (lighteval, zero-shot cloze; gsm8k generative).
 *
 * @throws SmolforgeError `input` naming the file and line of a row that is not as it should be.
 */
export async function benchmarkTask(
  name: BenchmarkName,
  path: string,
  options: BenchmarkOptions = {},
): Promise<Task> {
  const rows = (await readRows(path)).slice(0, options.limit)
  if (name === 'gsm8k') return gsm8k(path, rows, options.examples ?? [])
  const read = choiceRows[name]
  const items = rows.map((row, i) => ({ id: `${name}/${i}`, ...parse(path, i, () => read(row)) }))
  return { kind: 'choice', name, form: 'cloze', shots: 0, normalisation: 'characters', items }
}

export const benchmarkNames = (): BenchmarkName[] => [
  ...(Object.keys(choiceRows) as BenchmarkName[]),
  'gsm8k',
]

type Choices = Pick<ChoiceItem, 'prompt' | 'choices' | 'gold'>

const labelled = z.object({
  choices: z.object({ text: z.array(z.string()).min(2), label: z.array(z.string()) }),
  answerKey: z.string(),
})
const arc = labelled.extend({ question: z.string() })
const openBook = labelled.extend({ question_stem: z.string() })
const piqa = z.object({ goal: z.string(), sol1: z.string(), sol2: z.string(), label: z.coerce.number() })
const winogrande = z.object({
  sentence: z.string().includes('_'),
  option1: z.string(),
  option2: z.string(),
  answer: z.enum(['1', '2']),
})
const hellaswag = z.object({ ctx: z.string(), endings: z.array(z.string()).min(2), label: z.coerce.number() })
const mmlu = z.object({
  subject: z.string(),
  question: z.string(),
  choices: z.array(z.string()).min(2),
  answer: z.coerce.number(),
})

/** One reader for each benchmark: its row in, prompt, choices and gold out. */
const choiceRows = {
  arc_easy: (row: unknown) => fromLabels(arc.parse(row), ({ question }) => questionPrompt(question)),
  arc_challenge: (row: unknown) => fromLabels(arc.parse(row), ({ question }) => questionPrompt(question)),
  openbookqa: (row: unknown) => fromLabels(openBook.parse(row), ({ question_stem }) => question_stem),
  commonsense_qa: (row: unknown) => fromLabels(arc.parse(row), ({ question }) => question),
  piqa: (row: unknown) => {
    const { goal, sol1, sol2, label } = piqa.parse(row)
    return choose(questionPrompt(goal), [sol1, sol2], label)
  },
  winogrande: (row: unknown) => {
    const { sentence, option1, option2, answer } = winogrande.parse(row)
    const [before, ...after] = sentence.split('_')
    const rest = after.join('_')
    return choose(before.trimEnd(), [option1 + rest, option2 + rest], Number(answer) - 1)
  },
  hellaswag: (row: unknown) => {
    const { ctx, endings, label } = hellaswag.parse(row)
    return choose(ctx, endings, label)
  },
  mmlu: (row: unknown) => {
    const { subject, question, choices, answer } = mmlu.parse(row)
    const topic = subject.replaceAll('_', ' ')
    return choose(`The following are questions about ${topic}.\n${questionPrompt(question)}`, choices, answer)
  },
} satisfies Record<string, (row: unknown) => Choices>

function questionPrompt(question: string): string {
  return `Question: ${question}\nAnswer:`
}

function choose(prompt: string, choices: readonly string[], gold: number): Choices {
  if (!Number.isInteger(gold) || gold < 0 || gold >= choices.length)
    throw new RangeError(`the right choice is ${gold}, there are ${choices.length}`)
  return { prompt, choices: choices.map((choice) => ` ${choice}`), gold }
}

function fromLabels<Row extends z.infer<typeof labelled>>(row: Row, prompt: (row: Row) => string): Choices {
  return choose(prompt(row), row.choices.text, row.choices.label.indexOf(row.answerKey))
}

const problem = z.object({ question: z.string(), answer: z.string() })

function gsm8k(
  path: string,
  rows: readonly unknown[],
  examples: readonly { question: string; answer: string }[],
): Task {
  const items: GenerativeItem[] = rows.map((row, i) => {
    const { question, answer } = parse(path, i, () => problem.parse(row))
    const gold = answer.split('####').at(-1)?.trim() ?? ''
    return { id: `gsm8k/${i}`, prompt: questionPrompt(question), question, gold }
  })
  const solved = examples.map(({ question, answer }) => `${questionPrompt(question)} ${answer}\n\n`)
  return {
    kind: 'generative',
    name: 'gsm8k',
    form: 'generative',
    shots: examples.length,
    preamble: solved.join(''),
    maxTokens: 256,
    stop: ['Question:'],
    items,
    isRight: sameAnswer,
  }
}

async function readRows(path: string): Promise<unknown[]> {
  const raw = await readFile(path).catch((error) => {
    throw fileError(error, path)
  })
  const bytes = path.endsWith('.gz') ? await promisify(gunzip)(raw).catch(notGzip(path)) : raw
  return bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => parse(path, i, () => JSON.parse(line) as unknown))
}

function notGzip(path: string) {
  return (cause: unknown): never => {
    throw new SmolforgeError('damaged', 'The gzip file is damaged or ends too early', {
      place: { file: path },
      cause,
    })
  }
}

function parse<T>(file: string, row: number, body: () => T): T {
  try {
    return body()
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause)
    throw new SmolforgeError('input', `This row is not as the benchmark has them: ${why}`, {
      place: { file, line: row + 1 },
      cause,
    })
  }
}
