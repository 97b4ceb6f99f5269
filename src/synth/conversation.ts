export interface Message {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** A conversation to learn from: loss falls on the assistant's turns. */
export interface Conversation {
  messages: Message[]
  /** What it teaches: `definition`, `sum`, `code`, `dialogue`, `reading`, ... */
  kind: string
}

/** The same prompt with a better and a worse answer, for DPO. */
export interface PreferencePair {
  messages: Message[]
  chosen: string
  rejected: string
  kind: string
  /** What was done to the rejected answer: `wrong word`, `wrong number`, `off topic`, `repetition`, `cut short`. */
  flaw: string
}
