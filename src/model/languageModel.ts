import { SmolforgeError } from '../errors.ts'
import { inference, logSoftmax, tensor } from '../tensor/index.ts'
import { type ChatMessage, Tokenizer } from '../tokenizer/index.ts'
import { type GeneratedToken, generateTokens, lastRow, type StepOptions } from './generation.ts'
import { Llama } from './llama.ts'
import { topIds } from './sampling.ts'
import { checkIds, scoreSequences } from './scoring.ts'
import { StopWatch } from './stopStrings.ts'

export interface GenerateOptions extends Omit<StepOptions, 'stopIds'> {
  /** Generation ends before one of these; `<|endoftext|>` when left out. */
  stopIds?: readonly number[]
}

export interface TextOptions extends GenerateOptions {
  /** The text ends before the first of these, wherever tokens begin and end. */
  stop?: readonly string[]
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

  /** As `load`, for inference alone: weights that are not f32 stay in their file, mapped, as they are stored. */
  static async open(path: string): Promise<LanguageModel> {
    return new LanguageModel(await Llama.open(path), await Tokenizer.load(path))
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
   * the end of the context count to the continuation. A begin token of the tokenizer's stands before a context that is
   * no conversation; where nothing would stand before the continuation, `<|endoftext|>` does. Of a context that is too
   * long for the model the end is kept.
   */
  logLikelihoods(
    items: readonly { context: string; continuation: string; chat?: boolean }[],
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
   * model's last position. The same seed gives the same tokens. An empty prompt is `<|endoftext|>`.
   *
   * @throws SmolforgeError `input` for a prompt that fills the model's positions.
   */
  *generate(promptIds: Uint32Array, options: GenerateOptions): Generator<number> {
    for (const { id } of this.generateTokens([promptIds], options)) yield id
  }

  /**
   * As `generate` for several prompts at once, a token of each a step, with log-probabilities where `topLogProbs` asks
   * for them. Each prompt is sampled from its own random numbers: what it gives alone, it gives beside others.
   */
  generateTokens(prompts: readonly Uint32Array[], options: GenerateOptions): Generator<GeneratedToken> {
    const { endOfTextId } = this.tokenizer
    const filled = prompts.map((ids) => (ids.length > 0 ? ids : Uint32Array.of(endOfTextId)))
    return generateTokens(this.llama, filled, { ...options, stopIds: options.stopIds ?? [endOfTextId] })
  }

  /** The text that follows the prompt, in pieces of whole characters; it ends before a stop string. */
  *generateText(promptIds: Uint32Array, options: TextOptions): Generator<string> {
    for (const { text } of this.#pieces(promptIds, options)) if (text !== '') yield text
  }

  /** The whole continuation: its tokens, with log-probabilities where `topLogProbs` asks, and the text before a stop. */
  complete(promptIds: Uint32Array, options: TextOptions): { tokens: GeneratedToken[]; text: string } {
    const pieces = [...this.#pieces(promptIds, options)]
    return {
      tokens: pieces.flatMap(({ token }) => (token === undefined ? [] : [token])),
      text: pieces.map(({ text }) => text).join(''),
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
  chat(messages: readonly ChatMessage[], options: TextOptions): Generator<string> {
    const stopIds = options.stopIds ?? this.answerStopIds
    return this.generateText(this.chatPrompt(messages), { ...options, stopIds })
  }

  /** Each token with the text that is sure after it, and at the end what text is left. */
  *#pieces(
    promptIds: Uint32Array,
    options: TextOptions,
  ): Generator<{ token?: GeneratedToken; text: string }> {
    const decoder = this.tokenizer.streamDecoder()
    const watch = new StopWatch(options.stop ?? [])
    for (const token of this.generateTokens([promptIds], options)) {
      yield { token, text: watch.push(decoder.push(token.id)) }
      if (watch.stopped) return
    }
    yield { text: watch.push(decoder.end()) + watch.end() }
  }

  #encodePairs(items: readonly { context: string; continuation: string; chat?: boolean }[]) {
    const split = items.map(({ context, continuation }) => {
      const start = context.trimEnd()
      return { start, whole: context + continuation }
    })
    const wholes = this.tokenizer.encodeBatch(split.map(({ whole }) => whole))
    const starts = this.tokenizer.encodeBatch(split.map(({ start }) => start))
    return wholes.map((ids, i) => {
      const begin = items[i].chat ? [] : this.tokenizer.beginIds
      const from = begin.length + starts[i].length
      if (from === 0) return { ids: Uint32Array.from([this.tokenizer.endOfTextId, ...ids]), from: 1 }
      return { ids: begin.length === 0 ? ids : Uint32Array.from([...begin, ...ids]), from }
    })
  }
}
