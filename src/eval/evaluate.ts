import { SmolforgeError } from '../errors.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../progress/progress.ts'
import { wilsonInterval } from '../random/wilson.ts'
import { complete } from './complete.ts'
import type { EvaluatedModel } from './model.ts'
import type { Score } from './score.ts'
import type { ChoiceItem, ChoiceTask, GenerativeTask, Task } from './task.ts'

export interface EvaluateOptions {
  /** Puts each question through the chat template and scores the answers as the assistant's turn. */
  chat?: boolean
  onProgress?: Progress
  stop?: StopSignal
}

/** Items scored in one call of the model. */
export const ITEMS_PER_CALL = 64

/**
 * Scores a model on tasks: choices by log-likelihood as lighteval does, generative tasks by greedy completion.
 * Every score has its 95 % Wilson interval and says its form, shots, normalisation and chance.
 *
 * @throws SmolforgeError `interrupted` when stopped.
 */
export async function evaluate(
  model: EvaluatedModel,
  tasks: readonly Task[],
  options: EvaluateOptions = {},
): Promise<Score[]> {
  const { stop = neverStop, onProgress = noProgress, chat = false } = options
  const total = tasks.reduce((sum, task) => sum + task.items.length, 0)
  const scores: Score[] = []
  let before = 0
  for (const task of tasks) {
    const report = (done: number) => {
      onProgress({ done: before + done, total, unit: 'items', message: task.name })
      if (stop.stopped) throw new SmolforgeError('interrupted', 'The evaluation was stopped')
    }
    scores.push(
      task.kind === 'choice'
        ? await scoreChoices(model, task, chat, report)
        : await scoreCompletions(model, task, chat, report),
    )
    before += task.items.length
  }
  return scores
}

async function scoreChoices(
  model: EvaluatedModel,
  task: ChoiceTask,
  chat: boolean,
  report: (done: number) => void,
): Promise<Score> {
  const outcomes: number[] = []
  for (let at = 0; at < task.items.length; at += ITEMS_PER_CALL) {
    const items = task.items.slice(at, at + ITEMS_PER_CALL)
    const queries = items.flatMap((item) => itemQueries(model, task, item, chat))
    const likelihoods = model.logLikelihoods(queries)
    let next = 0
    for (const item of items) {
      const sums = item.choices.map(() => likelihoods[next++].sum)
      const neutral = task.normalisation === 'pmi' ? item.choices.map(() => likelihoods[next++].sum) : []
      const normalised = sums.map((sum, i) => normalise(task, item.choices[i], sum, neutral[i]))
      outcomes.push(indexOfLargest(normalised) === item.gold ? 1 : 0)
    }
    report(outcomes.length)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const chance =
    task.items.reduce((sum, item) => sum + 1 / item.choices.length, 0) / Math.max(1, task.items.length)
  return { ...share(task, 'accuracy', outcomes, chat), normalisation: task.normalisation, chance }
}

/** The choices after the prompt; for `pmi` the same choices once more, after the neutral prompt. */
function itemQueries(model: EvaluatedModel, task: ChoiceTask, item: ChoiceItem, chat: boolean) {
  const after = (asked: { prompt: string; question?: string }) => {
    const context = contextOf(model, task, asked, chat)
    return item.choices.map((choice) => ({ context, continuation: chat ? choice.trimStart() : choice, chat }))
  }
  if (task.normalisation !== 'pmi') return after(item)
  if (item.neutral === undefined) {
    throw new SmolforgeError('input', `Item ${item.id} of the task ${task.name} has no neutral prompt`, {
      hint: 'The normalisation pmi compares with one: give each item `neutral`, or take another normalisation.',
    })
  }
  return [...after(item), ...after(item.neutral)]
}

function contextOf(
  model: EvaluatedModel,
  task: Task,
  { prompt, question = prompt }: { prompt: string; question?: string },
  chat: boolean,
): string {
  return chat
    ? model.tokenizer.applyChatTemplate([{ role: 'user', content: question }], { addGenerationPrompt: true })
    : (task.preamble ?? '') + prompt
}

function normalise(task: ChoiceTask, choice: string, sum: number, neutral: number): number {
  if (task.normalisation === 'none') return sum
  if (task.normalisation === 'pmi') return sum - neutral
  // lighteval's `acc_norm_nospace`: characters (code points) of the choice without its leading space.
  return sum / Math.max(1, [...(choice.startsWith(' ') ? choice.slice(1) : choice)].length)
}

async function scoreCompletions(
  model: EvaluatedModel,
  task: GenerativeTask,
  chat: boolean,
  report: (done: number) => void,
): Promise<Score> {
  const outcomes: number[] = []
  for (const item of task.items) {
    const prompt = contextOf(model, task, item, chat)
    const { completion } = complete(model, prompt, { maxTokens: task.maxTokens, stop: task.stop, chat })
    outcomes.push(task.isRight(completion, item.gold) ? 1 : 0)
    report(outcomes.length)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return share(task, 'exact match', outcomes, chat)
}

function share(task: Task, metric: Score['metric'], outcomes: number[], chat: boolean): Score {
  const right = outcomes.reduce((sum, outcome) => sum + outcome, 0)
  const { low, high } = wilsonInterval(right, outcomes.length)
  return {
    task: task.name,
    metric,
    value: outcomes.length === 0 ? 0 : right / outcomes.length,
    low,
    high,
    n: outcomes.length,
    form: task.form,
    shots: task.shots,
    ...(chat && { chat }),
    outcomes,
  }
}

function indexOfLargest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0)
}
