/**
 * What the commands do, a program can: tensors with autograd, the model, the tokenizer, curation, training, evaluation
 * and whole recipes. One import, `import { ... } from 'smolforge'`; docs/ explains each part.
 */
export * from './corpus/index.ts'
export * from './curate/index.ts'
export { type ErrorCode, type ErrorPlace, explainError, SmolforgeError } from './errors.ts'
export * from './eval/index.ts'
export {
  type Ablation,
  type AblationArm,
  decideMixture,
  type Evidence,
  type LedgerEntry,
  type MixtureState,
  type Proposal,
  proposeMixture,
  readLedger,
  replayLedger,
  runAblation,
  type Weights,
} from './mixture/index.ts'
export {
  fromHfConfig,
  KeyValueCache,
  LanguageModel,
  Llama,
  type LlamaConfig,
  type LossBatch,
  llamaConfigSchema,
  modelHash,
  type PresetName,
  parameterCount,
  presets,
  toHfConfig,
} from './model/index.ts'
export { type Progress, type ProgressEvent, SharedStop, type StopSignal } from './progress/progress.ts'
export { Random } from './random/random.ts'
export * from './recipe/index.ts'
export { collectReport, dataCard, modelCard, type RunReport, writeReport } from './report/index.ts'
export { type ChatModel, type RunningServer, startServer } from './serve/index.ts'
export { Sampler, type SamplerState, ShardSet, type TokenBatch, writeShards } from './shards/index.ts'
export * from './synth/index.ts'
export * from './tensor/index.ts'
export * from './tokenizer/index.ts'
export * from './train/index.ts'
