/** One turn of a conversation, as chat templates see it. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

export interface ChatTemplateOptions {
  /** End with the opening of an assistant turn, for the model to go on from. */
  addGenerationPrompt?: boolean
}
