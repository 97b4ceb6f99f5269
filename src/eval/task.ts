import type { Normalisation } from './score.ts'

/** A question with its possible answers. `prompt` is for a base model, `question` (default: `prompt`) for a chat. */
export interface ChoiceItem {
  id: string
  prompt: string
  question?: string
  /** For `pmi`: the prompt and the question with nothing to go by. */
  neutral?: { prompt: string; question?: string }
  /** Continuations of `prompt`, with their leading space. */
  choices: readonly string[]
  /** Index of the right choice. */
  gold: number
}

/** Scored by the choice with the largest (normalised) log-likelihood. */
export interface ChoiceTask {
  kind: 'choice'
  name: string
  form: 'cloze' | 'multiple-choice'
  shots: number
  normalisation: Normalisation
  /** Prepended to every prompt of a base model: the worked examples of a few-shot task. */
  preamble?: string
  items: readonly ChoiceItem[]
}

export interface GenerativeItem {
  id: string
  prompt: string
  question?: string
  gold: string
}

/** Scored by comparing the final answer of a greedy completion with the gold one. */
export interface GenerativeTask {
  kind: 'generative'
  name: string
  form: 'generative'
  shots: number
  preamble?: string
  maxTokens: number
  /** The completion ends before the first of these. */
  stop: readonly string[]
  items: readonly GenerativeItem[]
  isRight(completion: string, gold: string): boolean
}

export type Task = ChoiceTask | GenerativeTask
