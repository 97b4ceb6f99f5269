export type { ChatModel, ChatTurn } from './chatModel.ts'
export { type RunningServer, startServer } from './server.ts'
