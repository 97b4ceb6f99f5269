/** One turn of a conversation. */
export interface ChatTurn {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** What serving asks of a model. `LanguageModel` of the model room satisfies it as it is. */
export interface ChatModel {
  readonly llama: { readonly config: { readonly maxPositionEmbeddings: number } }
  readonly tokenizer: {
    readonly endOfTextId: number
    /** With `addSpecialTokens` also what stands before a text that is no conversation. */
    encode(text: string, options?: { addSpecialTokens?: boolean }): Uint32Array
    /** Needed for log-probabilities. */
    decode?(ids: readonly number[]): string
    streamDecoder(): { push(id: number): string; end(): string }
  }
  /** The ids of a conversation up to where the assistant is to speak. */
  chatPrompt(messages: readonly ChatTurn[]): Uint32Array
  /** The tokens that end an answer. */
  readonly answerStopIds: readonly number[]
  /** The tokens after the prompt; ends before a stop token, which is not yielded. */
  generate(promptIds: Uint32Array, options: ChatSampling): Iterable<number> | AsyncIterable<number>
  /** As `generate` with the log-probability of each token; a model without it serves none. */
  generateTokens?(
    prompts: readonly Uint32Array[],
    options: ChatSampling & { topLogProbs?: number },
  ): Iterable<{ id: number; logProb?: number; top?: { ids: number[]; logProbs: number[] } }>
}

/** How tokens are chosen, and when to stop. */
export interface ChatSampling {
  maxTokens: number
  temperature: number
  topP?: number
  topK?: number
  minP?: number
  repetitionPenalty?: number
  seed?: number
  stopIds?: readonly number[]
}
