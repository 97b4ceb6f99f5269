export { type Interval, wilsonInterval } from '../random/wilson.ts'
export { finalAnswer, sameAnswer } from './answers.ts'
export { type BaselineDomain, type BaselineOptions, type BaselineScores, baselines } from './baselines.ts'
export {
  type BitsPerByte,
  type BitsPerByteOptions,
  bitsPerByte,
  type DocumentLoss,
  type HeldOutScore,
  heldOutScores,
} from './bits-per-byte.ts'
export { type CompleteOptions, complete } from './complete.ts'
export {
  type CompressionBits,
  type CompressionOptions,
  compression as compressionBaseline,
} from './compression.ts'
export { type EvaluateOptions, evaluate } from './evaluate.ts'
export {
  type KneserNeyBits,
  type KneserNeyOptions,
  kneserNey as kneserNeyBaseline,
  type TokenizedDocuments,
} from './kneser-ney.ts'
export type {
  ChatTurn,
  EvaluatedModel,
  EvaluatedTokenizer,
  GenerateOptions,
  LikelihoodQuery,
} from './model.ts'
export { type Sample, type SampleOptions, samples } from './samples.ts'
export { isAboveChance, type Normalisation, type Score, type ScoreForm } from './score.ts'
export {
  bootstrapInterval,
  percentileInterval,
  resample,
} from './statistics.ts'
export type { ChoiceItem, ChoiceTask, GenerativeItem, GenerativeTask, Task } from './task.ts'
export { type ArithmeticItem, arithmeticTask } from './tasks/arithmetic.ts'
export {
  type BenchmarkName,
  type BenchmarkOptions,
  benchmarkNames,
  benchmarkTask,
} from './tasks/benchmarks.ts'
export { type DefinitionEntry, type DefinitionsOptions, definitionsTask } from './tasks/definitions.ts'
export { type PassagesOptions, passagesTask } from './tasks/passages.ts'
