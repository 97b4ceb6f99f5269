import type { EvaluatedModel } from './model.ts'

export interface CompleteOptions {
  maxTokens: number
  /** The completion ends before the first of these texts. */
  stop?: readonly string[]
  /** 0 (the default) always takes the likeliest token. */
  temperature?: number
  topP?: number
  seed?: number
  /** The prompt is a conversation in the words of the chat template, which has its own begin token if it needs one. */
  chat?: boolean
}

/** Continues a prompt until a stop text, the end of the text or of the turn, or `maxTokens`. */
export function complete(
  model: EvaluatedModel,
  prompt: string,
  options: CompleteOptions,
): { completion: string; tokens: number } {
  const { tokenizer } = model
  const begin = options.chat ? [] : tokenizer.beginIds
  const room = Math.max(1, model.llama.config.maxPositionEmbeddings - options.maxTokens - begin.length)
  const promptIds = tokenizer.encode(prompt)
  // A prompt that leaves no room loses its beginning: the question stands at the end.
  const kept = Uint32Array.from([...begin, ...promptIds.slice(-room)])
  const endOfTurn = tokenizer.specialTokens.get('<|im_end|>')
  const stopIds = endOfTurn === undefined ? [tokenizer.endOfTextId] : [tokenizer.endOfTextId, endOfTurn]
  const ids: number[] = []
  const generated = model.generate(kept.length > 0 ? kept : Uint32Array.of(tokenizer.endOfTextId), {
    maxTokens: options.maxTokens,
    temperature: options.temperature ?? 0,
    topP: options.topP,
    seed: options.seed,
    stopIds,
  })
  for (const id of generated) {
    if (stopIds.includes(id)) break
    ids.push(id)
    const text = tokenizer.decode(ids)
    const cut = firstStop(text, options.stop ?? [])
    if (cut >= 0) return { completion: text.slice(0, cut), tokens: ids.length }
  }
  return { completion: tokenizer.decode(ids), tokens: ids.length }
}

function firstStop(text: string, stops: readonly string[]): number {
  const places = stops.map((stop) => text.indexOf(stop)).filter((place) => place >= 0)
  return places.length === 0 ? -1 : Math.min(...places)
}
