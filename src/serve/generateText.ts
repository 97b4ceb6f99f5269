import { setImmediate } from 'node:timers/promises'
import { StopWatch } from '../model/index.ts'
import type { ChatModel, ChatSampling } from './chatModel.ts'
import type { TokenScore } from './logProbs.ts'

export interface TextRequest extends ChatSampling {
  promptIds: Uint32Array
  seed: number
  stopIds: readonly number[]
  /** The text ends before the first of these. */
  stop: readonly string[]
  /** With each token its log-probability, and those of so many likeliest ones. */
  topLogProbs?: number
}

export interface TextPiece {
  text: string
  /** The tokens of the text, where log-probabilities were asked for. */
  tokens: TokenScore[]
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
): AsyncGenerator<TextPiece, TextEnd> {
  const decoder = model.tokenizer.streamDecoder()
  const watch = new StopWatch(request.stop)
  let completionTokens = 0
  let tokens: TokenScore[] = []
  for await (const { id, score } of scored(model, request)) {
    completionTokens++
    if (score) tokens.push(score)
    const text = watch.push(decoder.push(id))
    if (text !== '') {
      yield { text, tokens }
      tokens = []
    }
    if (watch.stopped) return { finishReason: 'stop', completionTokens }
    await setImmediate()
    signal.throwIfAborted()
  }
  const rest = watch.push(decoder.end()) + watch.end()
  if (rest !== '' || tokens.length > 0) yield { text: rest, tokens }
  const room = model.llama.config.maxPositionEmbeddings - request.promptIds.length
  const full = completionTokens >= Math.min(request.maxTokens, room)
  return { finishReason: full && !watch.stopped ? 'length' : 'stop', completionTokens }
}

async function* scored(
  model: ChatModel,
  { promptIds, topLogProbs, stop: _, ...sampling }: TextRequest,
): AsyncGenerator<{ id: number; score?: TokenScore }> {
  if (topLogProbs === undefined || model.generateTokens === undefined) {
    for await (const id of model.generate(promptIds, sampling)) yield { id }
    return
  }
  for (const { id, logProb = 0, top } of model.generateTokens([promptIds], { ...sampling, topLogProbs })) {
    yield { id, score: { id, logProb, top: top ?? { ids: [], logProbs: [] } } }
  }
}
