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
    encode(text: string): Uint32Array
    streamDecoder(): { push(id: number): string; end(): string }
  }
  /** The ids of a conversation up to where the assistant is to speak. */
  chatPrompt(messages: readonly ChatTurn[]): Uint32Array
  /** The tokens that end an answer. */
  readonly answerStopIds: readonly number[]
  /** The tokens after the prompt; ends before a stop token, which is not yielded. */
  generate(
    promptIds: Uint32Array,
    options: {
      maxTokens: number
      temperature: number
      topP?: number
      seed?: number
      stopIds?: readonly number[]
    },
  ): Iterable<number> | AsyncIterable<number>
}
