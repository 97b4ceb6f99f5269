export { type FoundCheckpoint, findCheckpoint, saveCheckpoint } from './checkpoint.ts'
export { encodeConversations, type MaskedText } from './conversation.ts'
export { type DpoOptions, type DpoResult, dpo, type Preference } from './dpo.ts'
export type {
  CheckpointOptions,
  HeldOutOptions,
  HeldOutScores,
  TrainOptions,
  TrainResult,
} from './loop.ts'
export type { HeldOutMetrics, TrainMetrics } from './metrics.ts'
export { Optimizer, type OptimizerConfig, type OptimizerInput, optimizerSchema } from './optimizer.ts'
export { type BatchSource, type PretrainOptions, pretrain } from './pretrain.ts'
export { type Schedule, scheduleRate, scheduleSchema } from './schedule.ts'
export { type SftOptions, type SftResult, sft } from './sft.ts'
export type { TrainState } from './state.ts'
export { type TuneData, type TuneOptions, tune } from './tune.ts'
