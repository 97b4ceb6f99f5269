import { complete } from './complete.ts'
import type { ChatTurn, EvaluatedModel } from './model.ts'

/** A line of `samples.json`. */
export interface Sample {
  prompt: string
  completion: string
  tokens: number
}

export interface SampleOptions {
  maxTokens?: number
  temperature?: number
  topP?: number
  seed?: number
}

/** What the model makes of fixed prompts: plain text is continued, messages are answered as a chat. */
export function samples(
  model: EvaluatedModel,
  prompts: readonly (string | { messages: readonly ChatTurn[] })[],
  options: SampleOptions = {},
): Sample[] {
  const { maxTokens = 64, temperature = 0, topP, seed } = options
  const sampling = { maxTokens, temperature, topP, seed }
  return prompts.map((prompt) => {
    if (typeof prompt === 'string') return { prompt, ...complete(model, prompt, sampling) }
    const text = model.tokenizer.applyChatTemplate(prompt.messages, { addGenerationPrompt: true })
    const shown = prompt.messages.at(-1)?.content ?? ''
    return { prompt: shown, ...complete(model, text, { ...sampling, chat: true }) }
  })
}
