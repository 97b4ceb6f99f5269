export { KeyValueCache } from './cache.ts'
export { type Checkpoint, openCheckpoint } from './checkpoints/checkpoint.ts'
export type { SaveOptions, SavesItself } from './checkpoints/folder.ts'
export {
  type GgufDtype,
  type GgufSaveOptions,
  ggufDtypes,
  type SavedGguf,
  saveGguf,
} from './checkpoints/ggufSave.ts'
export { modelHash } from './checkpoints/hash.ts'
export { loadAdapter, saveAdapter } from './checkpoints/peft.ts'
export {
  openSafetensors,
  type SafetensorsFile,
  type WritableTensor,
  writeSafetensors,
} from './checkpoints/safetensors.ts'
export type { TensorPlace } from './checkpoints/weights.ts'
export { fromHfConfig, headDim, type LlamaConfig, llamaConfigSchema, toHfConfig } from './config.ts'
export { parameterCount, trainFlopsPerToken } from './cost.ts'
export { EmbeddingModel, type EncoderOptions, type Pooling, poolings } from './encoders/embeddingModel.ts'
export { type FetchedModel, type FetchModelOptions, fetchModel, knownModelNames } from './fetch/fetchModel.ts'
export type { GeneratedToken } from './generation.ts'
export { type GenerateOptions, LanguageModel, type TextOptions } from './languageModel.ts'
export { countTargets, type HiddenOptions, Llama, type LossBatch } from './llama.ts'
export {
  LoraAdapter,
  type LoraConfig,
  type LoraInput,
  type LoraTarget,
  loraSchema,
  loraTargets,
  mergeAdapter,
} from './lora.ts'
export { parameterShapes } from './parameters.ts'
export { type PresetName, presets } from './presets.ts'
export type { SamplingOptions } from './sampling.ts'
export type { TokenSequence } from './sequences.ts'
export { StopWatch } from './stopStrings.ts'
