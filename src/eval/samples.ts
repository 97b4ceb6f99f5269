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
  return prompts.map((prompt) => {
    const text =
      typeof prompt === 'string'
        ? prompt
        : model.tokenizer.applyChatTemplate(prompt.messages, { addGenerationPrompt: true })
    const shown = typeof prompt === 'string' ? prompt : (prompt.messages.at(-1)?.content ?? '')
    return { prompt: shown, ...complete(model, text, { maxTokens, temperature, topP, seed }) }
  })
}
