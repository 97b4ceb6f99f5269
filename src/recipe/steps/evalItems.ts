import { join } from 'node:path'
import { z } from 'zod'
import { type Document, readDocuments } from '../../corpus/index.ts'
import { domainOf } from '../../curate/index.ts'
import { arithmeticTask, definitionsTask, passagesTask, type Task } from '../../eval/index.ts'
import { Random } from '../../random/random.ts'
import { dictionaryEntries, workedProblems } from '../../synth/index.ts'
import { readJson } from '../readJson.ts'
import type { StepKind } from '../step.ts'
import { HELD_OUT, writeJson } from './curation.ts'

export interface EvalItemsConfig {
  seed: number
  definitions: number
  arithmetic: number
  passages: number
}

/** Makes the run's own evaluation items from held-out documents and a stream of problems of its own. */
export const evalItemsStep: StepKind<EvalItemsConfig> = {
  kind: 'eval-items',
  version: 3,
  resumes: false,
  async run(work) {
    const { seed } = work.config
    const heldOut = await readAll(join(work.inputs.split, HELD_OUT))
    const entries: EvalItems['entries'] = []
    const prose: Document[] = []
    for (const document of heldOut) {
      if (domainOf(document) === 'dictionary') entries.push(...dictionaryEntries(document))
      else if (domainOf(document) !== 'code' && domainOf(document) !== 'maths') prose.push(document)
    }
    const problems = [
      ...workedProblems(Random.derive(seed, 'evaluation problems'), work.config.arithmetic),
    ].map(({ question, answer }, i) => ({ id: `arithmetic/${i}`, question, answer }))
    const items: EvalItems = {
      seed,
      entries,
      problems,
      ...pick(work.config),
      passageDocuments: prose.map(short),
    }
    await writeJson(work, 'items.json', items)
    const tasks = tasksOf(items)
    return {
      counts: Object.fromEntries(tasks.map(({ name, items }) => [name, items.length])),
      warnings: tasks
        .filter(({ items }) => items.length === 0)
        .map(({ name }) => `there is not enough held-out text for the task ${name}`),
    }
  },
}

const entrySchema = z.object({
  word: z.string(),
  words: z.array(z.string()),
  partOfSpeech: z.string(),
  gloss: z.string(),
})
const itemsSchema = z.object({
  seed: z.number(),
  definitions: z.number(),
  passages: z.number(),
  entries: z.array(entrySchema),
  problems: z.array(z.object({ id: z.string(), question: z.string(), answer: z.string() })),
  passageDocuments: z.array(z.object({ id: z.string(), text: z.string() })),
})

/** items.json: what the tasks are made from; the tasks follow from it and its seed. */
export type EvalItems = z.infer<typeof itemsSchema>

export async function readEvalItems(folder: string): Promise<EvalItems> {
  return readJson(join(folder, 'items.json'), itemsSchema)
}

/** The tasks of the run; those without an item are left out by the caller. */
export function tasksOf({
  seed,
  definitions,
  passages,
  entries,
  problems,
  passageDocuments,
}: EvalItems): Task[] {
  return [
    definitionsTask(entries, { count: definitions, seed }),
    passagesTask(passageDocuments, { count: passages, seed }),
    arithmeticTask(problems),
  ]
}

/** What a training document must not hold: each question with its right answer. */
export function itemTexts(items: EvalItems): { id: string; text: string }[] {
  return tasksOf(items).flatMap((task) =>
    task.kind === 'choice'
      ? task.items.map(({ id, prompt, choices, gold }) => ({
          id: `${task.name}/${id}`,
          text: prompt + choices[gold],
        }))
      : task.items.map(({ id, prompt, gold }) => ({ id, text: `${prompt} ${gold}` })),
  )
}

async function readAll(path: string): Promise<Document[]> {
  const documents: Document[] = []
  for await (const batch of readDocuments(path)) documents.push(...batch)
  return documents
}

const PASSAGE_CHARACTERS = 4000

const short = ({ id, text }: Document) => ({ id, text: text.slice(0, PASSAGE_CHARACTERS) })
const pick = ({ definitions, passages }: EvalItemsConfig) => ({ definitions, passages })
