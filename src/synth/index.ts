export type { Conversation, Message, PreferencePair } from './conversation.ts'
export { problemDocuments, solutionText, type WorkedProblem, workedProblems } from './worked-problems.ts'
