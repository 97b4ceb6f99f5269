import { setImmediate } from 'node:timers/promises'
import { StopWatch } from '../model/index.ts'
import type { ChatModel } from './chatModel.ts'

export interface TextRequest {
  promptIds: Uint32Array
  maxTokens: number
  temperature: number
  topP?: number
  seed: number
  stopIds: readonly number[]
  /** The text ends before the first of these. */
  stop: readonly string[]
}

export interface TextEnd {
  finishReason: 'stop' | 'length'
  completionTokens: number
}

/**
 * The model's text in pieces of whole characters, as it is made; returns why it ended and how many tokens it took.
 * Between two tokens the event loop has its turn, so that a server stays awake; an aborted signal ends it there.
 */
export async function* generateText(
  model: ChatModel,
  request: TextRequest,
  signal: AbortSignal,
): AsyncGenerator<string, TextEnd> {
  const { promptIds, stop, ...options } = request
  const decoder = model.tokenizer.streamDecoder()
  const watch = new StopWatch(stop)
  let completionTokens = 0
  for await (const id of model.generate(promptIds, options)) {
    completionTokens++
    const piece = watch.push(decoder.push(id))
    if (piece !== '') yield piece
    if (watch.stopped) return { finishReason: 'stop', completionTokens }
    await setImmediate()
    signal.throwIfAborted()
  }
  const rest = watch.push(decoder.end()) + watch.end()
  if (rest !== '') yield rest
  const room = model.llama.config.maxPositionEmbeddings - promptIds.length
  const full = completionTokens >= Math.min(request.maxTokens, room)
  return { finishReason: full && !watch.stopped ? 'length' : 'stop', completionTokens }
}
