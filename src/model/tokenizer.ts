/** One turn of a conversation. */
export interface ChatTurn {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** What a language model asks of a tokenizer; `Tokenizer` of the tokenizer room satisfies it. */
export interface ModelTokenizer {
  readonly vocabSize: number
  readonly endOfTextId: number
  readonly specialTokens: ReadonlyMap<string, number>
  encode(text: string): Uint32Array
  encodeBatch(texts: readonly string[]): Uint32Array[]
  decode(ids: Iterable<number>): string
  streamDecoder(): { push(id: number): string; end(): string }
  applyChatTemplate(messages: readonly ChatTurn[], options?: { addGenerationPrompt?: boolean }): string
  save(dir: string): Promise<void>
}
