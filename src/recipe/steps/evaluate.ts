import { join } from 'node:path'
import { z } from 'zod'
import { evaluate, heldOutScores, type Score, samples, type Task } from '../../eval/index.ts'
import { LanguageModel } from '../../model/index.ts'
import { readJson } from '../readJson.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind } from '../step.ts'
import { writeJson } from './curation.ts'
import { readEvalItems, tasksOf } from './evalItems.ts'
import { heldOutTexts } from './heldOut.ts'
import { configureEngine } from './training.ts'

export interface EvaluateConfig {
  seed: number
  engine: Recipe['engine']
  /** The step whose model is measured. */
  model: string
  /** Through the chat template. */
  chat: boolean
  heldOutBytes: number
  /** At most so many items of each task; all if not given. */
  items?: number
  samplePrompts: string[]
  sampleTokens: number
  sampleTemperature: number
}

/** Measures one model: held-out bits per byte by domain, tasks with intervals, samples of fixed prompts. */
export const evaluateStep: StepKind<EvaluateConfig> = {
  kind: 'evaluate',
  version: 2,
  resumes: false,
  async run(work) {
    const { chat, seed, items, samplePrompts, heldOutBytes } = work.config
    // Scores are the reference: always f32.
    configureEngine(work.places, 'f32')
    const model = await LanguageModel.load(join(work.inputs[work.config.model], 'model'))
    const watch = { onProgress: work.onProgress, stop: work.stop }
    try {
      const texts = await heldOutTexts(work.inputs.split, heldOutBytes)
      const heldOut = await heldOutScores(model, texts, { seed, ...watch })
      const tasks = tasksOf(await readEvalItems(work.inputs['eval-items']))
      const scores = await evaluate(model, shortened(tasks, items), { chat, ...watch })
      const prompts = chat
        ? samplePrompts.map((content) => ({ messages: [{ role: 'user' as const, content }] }))
        : samplePrompts
      await writeJson(work, 'heldout.json', heldOut.map(withoutDocuments))
      await writeJson(work, 'scores.json', scores)
      const drawing = {
        maxTokens: work.config.sampleTokens,
        temperature: work.config.sampleTemperature,
        seed,
      }
      await writeJson(work, 'samples.json', samples(model, prompts, drawing))
      return {
        counts: { items: scores.reduce((sum, score) => sum + score.n, 0) },
        metrics: Object.fromEntries([
          ...heldOut.map(({ domain, bitsPerByte }) => [`bitsPerByte.${domain}`, bitsPerByte]),
          ...scores.map(({ task, value }) => [task, value]),
        ]),
      }
    } finally {
      model.llama.free()
    }
  },
}

const heldOutSchema = z.object({
  domain: z.string(),
  bitsPerByte: z.number(),
  low: z.number(),
  high: z.number(),
  bytes: z.number(),
  tokens: z.number(),
})

/** A line of heldout.json. */
export type HeldOutLine = z.infer<typeof heldOutSchema>

export async function readHeldOutScores(folder: string): Promise<HeldOutLine[]> {
  return readJson(join(folder, 'heldout.json'), z.array(heldOutSchema))
}

export async function readScores(folder: string): Promise<Score[]> {
  // Our own file, sealed by its checksum: its shape is what `evaluate` gave.
  return (await readJson(
    join(folder, 'scores.json'),
    z.array(z.looseObject({ task: z.string() })),
  )) as unknown as Score[]
}

export function shortened(tasks: readonly Task[], items: number | undefined): Task[] {
  return tasks
    .filter((task) => task.items.length > 0)
    .map((task) => ({ ...task, items: task.items.slice(0, items) }) as Task)
}

function withoutDocuments({ domain, bitsPerByte, low, high, bytes, tokens }: HeldOutLine): HeldOutLine {
  return { domain, bitsPerByte, low, high, bytes, tokens }
}
