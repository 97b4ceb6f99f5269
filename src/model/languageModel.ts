import { SmolforgeError } from '../errors.ts'
import { Random } from '../random/random.ts'
import { inference, logSoftmax, reshape, slice, type Tensor, tensor } from '../tensor/index.ts'
import { type ChatMessage, Tokenizer } from '../tokenizer/index.ts'
import { KeyValueCache } from './cache.ts'
import { Llama } from './llama.ts'
import { type SamplingOptions, sampleToken, topIds } from './sampling.ts'
import { checkIds, scoreSequences } from './scoring.ts'

export interface GenerateOptions extends SamplingOptions {
  maxTokens: number
  /** Of the sampling; 0 when left out. */
  seed?: number
  /** Generation ends before one of these; `<|endoftext|>` when left out. */
  stopIds?: readonly number[]
}

/** A Llama with its tokenizer: scores, completes and chats. */
export class LanguageModel {
  readonly llama: Llama
  readonly tokenizer: Tokenizer

  constructor(llama: Llama, tokenizer: Tokenizer) {
    if (tokenizer.vocabSize > llama.config.vocabSize) {
      throw new SmolforgeError(
        'input',
        `The tokenizer has ${tokenizer.vocabSize} tokens, the model knows ${llama.config.vocabSize}`,
        { hint: 'Use the tokenizer that the model was trained with.' },
      )
    }
    this.llama = llama
    this.tokenizer = tokenizer
  }

  /** Reads a Hugging Face folder or a GGUF file: configuration, weights and tokenizer. */
  static async load(dir: string): Promise<LanguageModel> {
    return new LanguageModel(await Llama.load(dir), await Tokenizer.load(dir))
  }

  /**
   * log p, in nats, of each token after the first, for each sequence: arrays one shorter than the sequences.
   *
   * @throws SmolforgeError `input` for a text longer than the model's positions.
   */
  tokenLogProbs(sequences: readonly Uint32Array[]): Float32Array[] {
    return scoreSequences(
      this.llama,
      sequences.map((ids) => ({ ids, from: 1 })),
    )
  }

  /**
   * The summed log-likelihood of each continuation given its context, and its number of tokens. Both are encoded
   * together, as lm-evaluation-harness does: the continuation's tokens are those past the context's own; spaces at
   * the end of the context count to the continuation; an empty context is `<|endoftext|>`. Of a context that is too
   * long for the model the end is kept.
   */
  logLikelihoods(
    items: readonly { context: string; continuation: string }[],
  ): { sum: number; tokens: number }[] {
    const { maxPositionEmbeddings } = this.llama.config
    const sequences = this.#encodePairs(items).map(({ ids, from }) => {
      const excess = Math.min(Math.max(0, ids.length - 1 - maxPositionEmbeddings), from - 1)
      return { ids: ids.subarray(excess), from: from - excess }
    })
    return scoreSequences(this.llama, sequences).map((scores) => ({
      sum: scores.reduce((sum, score) => sum + score, 0),
      tokens: scores.length,
    }))
  }

  /** The most likely tokens after the last of `ids`, with their log-probabilities in nats. */
  topTokens(ids: Uint32Array, count: number): { ids: number[]; logProbs: number[] } {
    if (ids.length === 0) throw new SmolforgeError('usage', 'There is no token to go on from')
    checkIds(this.llama, ids, 1)
    const scores = inference(() => {
      const hidden = this.llama.hidden(tensor(Int32Array.from(ids), [1, ids.length]))
      return logSoftmax(this.llama.logits(lastRow(hidden))).read() as Float32Array
    })
    const best = topIds(scores, count)
    return { ids: best, logProbs: best.map((id) => scores[id]) }
  }

  /**
   * Yields the tokens that follow the prompt, one at a time, until a stop token (not yielded), `maxTokens`, or the
   * model's last position. The same seed gives the same tokens.
   */
  *generate(promptIds: Uint32Array, options: GenerateOptions): Generator<number> {
    const { llama } = this
    const prompt = promptIds.length > 0 ? promptIds : Uint32Array.of(this.tokenizer.endOfTextId)
    checkIds(llama, prompt, 1)
    const stopIds = new Set(options.stopIds ?? [this.tokenizer.endOfTextId])
    const random = Random.derive(options.seed ?? 0, 'generate')
    const capacity = Math.min(llama.config.maxPositionEmbeddings, prompt.length + options.maxTokens)
    const cache = new KeyValueCache(llama.config, 1, capacity)
    try {
      let next = Int32Array.from(prompt)
      for (let made = 0; made < options.maxTokens && cache.length + next.length <= capacity; made++) {
        const logits = inference(() => {
          const hidden = llama.hidden(tensor(next, [1, next.length]), { cache })
          return llama.logits(lastRow(hidden)).read() as Float32Array
        })
        const id = sampleToken(logits, options, random)
        if (stopIds.has(id)) return
        yield id
        next = Int32Array.of(id)
      }
    } finally {
      cache.free()
    }
  }

  /** The ids of a conversation up to where the assistant is to speak. */
  chatPrompt(messages: readonly ChatMessage[]): Uint32Array {
    return this.tokenizer.encode(this.tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true }))
  }

  /** The tokens that end an answer: `<|im_end|>` where the tokenizer has it, and `<|endoftext|>`. */
  get answerStopIds(): number[] {
    const imEnd = this.tokenizer.specialTokens.get('<|im_end|>')
    return [...(imEnd === undefined ? [] : [imEnd]), this.tokenizer.endOfTextId]
  }

  /** The assistant's next answer, yielded as whole characters while it is generated. */
  *chat(messages: readonly ChatMessage[], options: GenerateOptions): Generator<string> {
    const decoder = this.tokenizer.streamDecoder()
    const stopIds = options.stopIds ?? this.answerStopIds
    for (const id of this.generate(this.chatPrompt(messages), { ...options, stopIds })) {
      const text = decoder.push(id)
      if (text !== '') yield text
    }
    const rest = decoder.end()
    if (rest !== '') yield rest
  }

  #encodePairs(items: readonly { context: string; continuation: string }[]) {
    const split = items.map(({ context, continuation }) => {
      const start = context.trimEnd()
      return { start, whole: context + continuation }
    })
    const wholes = this.tokenizer.encodeBatch(split.map(({ whole }) => whole))
    const starts = this.tokenizer.encodeBatch(split.map(({ start }) => start))
    return wholes.map((ids, i) => {
      const from = starts[i].length
      if (from > 0) return { ids, from }
      return { ids: Uint32Array.from([this.tokenizer.endOfTextId, ...ids]), from: 1 }
    })
  }
}

/** The last position of hidden [1, T, d] as [1, d]. */
function lastRow(hidden: Tensor): Tensor {
  const [, time, width] = hidden.shape
  return slice(reshape(hidden, [time, width]), time - 1, time)
}
