import { setImmediate } from 'node:timers/promises'
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

/** Lets text through up to a stop string, and holds back an end that could still become one. */
class StopWatch {
  stopped = false
  readonly #stop: readonly string[]
  #held = ''

  constructor(stop: readonly string[]) {
    this.#stop = stop
  }

  push(text: string): string {
    if (this.stopped) return ''
    const all = this.#held + text
    const found = this.#stop.map((stop) => all.indexOf(stop)).filter((at) => at >= 0)
    if (found.length > 0) {
      this.stopped = true
      this.#held = ''
      return all.slice(0, Math.min(...found))
    }
    const hold = Math.max(0, ...this.#stop.map((stop) => overlap(all, stop)))
    this.#held = all.slice(all.length - hold)
    return all.slice(0, all.length - hold)
  }

  end(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }
}

/** The length of the longest end of `text` that is a beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length
  }
  return 0
}
