export type { Conversation, Message, PreferencePair } from './conversation.ts'
