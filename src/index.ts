/**
 * What the commands do, a program can: tensors with autograd, the model, the tokenizer, curation, training, evaluation
 * and whole recipes. One import, `import { ... } from 'smolforge'`; docs/ explains each part.
 */
export * from './corpus/index.ts'
export * from './curate/index.ts'
export { type ErrorCode, type ErrorPlace, explainError, SmolforgeError } from './errors.ts'
export * from './eval/index.ts'
export * from './mixture/index.ts'
// Rooms that are handed a model name the shapes they ask for; these are the ones with the documentation.
export type { GenerateOptions } from './model/index.ts'
export * from './model/index.ts'
export { type Progress, type ProgressEvent, SharedStop, type StopSignal } from './progress/progress.ts'
export { Random } from './random/random.ts'
export * from './recipe/index.ts'
export { collectReport, dataCard, modelCard, type RunReport, writeReport } from './report/index.ts'
export type { ChatTurn } from './serve/index.ts'
export * from './serve/index.ts'
export * from './shards/index.ts'
export * from './synth/index.ts'
export * from './tensor/index.ts'
export * from './tokenizer/index.ts'
export * from './train/index.ts'
