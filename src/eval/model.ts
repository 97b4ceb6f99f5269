/** Text whose likelihood is asked for: the continuation's tokens are those past the context's own. */
export interface LikelihoodQuery {
  context: string
  continuation: string
  /** The context is a conversation in the words of the chat template: it has its own begin token if it needs one. */
  chat?: boolean
}

export interface ChatTurn {
  role: 'system' | 'user' | 'assistant'
  content: string
}

export interface GenerateOptions {
  maxTokens: number
  temperature: number
  topP?: number
  topK?: number
  seed?: number
  stopIds?: readonly number[]
}

/** What evaluation asks of a model. `LanguageModel` of the model room satisfies it as it is. */
export interface EvaluatedModel {
  readonly llama: { readonly config: { readonly maxPositionEmbeddings: number } }
  readonly tokenizer: EvaluatedTokenizer
  /** log p of each token after the first, for each sequence. */
  tokenLogProbs(sequences: readonly Uint32Array[]): Float32Array[]
  /** Summed log-likelihood of each continuation given its context, and how many tokens it has. */
  logLikelihoods(items: readonly LikelihoodQuery[]): { sum: number; tokens: number }[]
  generate(promptIds: Uint32Array, options: GenerateOptions): Iterable<number>
}

export interface EvaluatedTokenizer {
  readonly endOfTextId: number
  /** What stands before every text that is no conversation, if anything. */
  readonly beginIds: readonly number[]
  readonly specialTokens: ReadonlyMap<string, number>
  encode(text: string): Uint32Array
  encodeBatch(texts: readonly string[]): Uint32Array[]
  decode(ids: Iterable<number>): string
  applyChatTemplate(messages: readonly ChatTurn[], options?: { addGenerationPrompt?: boolean }): string
}
