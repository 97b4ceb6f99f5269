export type { BaselineScores } from './baselines.ts'
export {
  type BitsPerByte,
  type BitsPerByteOptions,
  bitsPerByte,
  type DocumentLoss,
  type HeldOutScore,
} from './bits-per-byte.ts'
export type {
  ChatTurn,
  EvaluatedModel,
  EvaluatedTokenizer,
  GenerateOptions,
  LikelihoodQuery,
} from './model.ts'
export { isAboveChance, type Normalisation, type Score, type ScoreForm } from './score.ts'
export type { ChoiceItem, ChoiceTask, GenerativeItem, GenerativeTask, Task } from './task.ts'
