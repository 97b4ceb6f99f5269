import type { ChatMessage } from '../tokenizer/index.ts'

export type Message = ChatMessage

/** A conversation to learn from: loss falls on the assistant's turns. */
export interface Conversation {
  messages: Message[]
  /** What it teaches. */
  kind: ConversationKind
}

export type ConversationKind = 'definition' | 'sum' | 'code' | 'reading' | 'dialogue'

/** The same prompt with a better and a worse answer, for DPO. */
export interface PreferencePair {
  messages: Message[]
  chosen: string
  rejected: string
  kind: ConversationKind
  /** What is wrong with the rejected answer. */
  flaw: Flaw
}

export type Flaw = 'wrong word' | 'wrong number' | 'off topic' | 'repetition' | 'cut short' | 'no end'

/** One question and its answer. */
export function exchange(kind: ConversationKind, user: string, assistant: string): Conversation {
  return {
    kind,
    messages: [
      { role: 'user', content: user },
      { role: 'assistant', content: assistant },
    ],
  }
}
