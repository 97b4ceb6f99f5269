export { defineRecipe } from './define.ts'
export { recipeFieldTable } from './fieldTable.ts'
export {
  inspectRun,
  inspectStep,
  type RunDescription,
  type RunStatus,
  readRun,
  type StepState,
  type StepStatus,
} from './inspect.ts'
export type { RecipeIssue } from './issues.ts'
export { recipeJsonSchema } from './jsonSchema.ts'
export {
  type BatchDocument,
  batchDocuments,
  type DocumentLine,
  type DocumentStory,
  type DocumentVerdict,
  documentStory,
  listDocuments,
} from './lineage.ts'
export { nearestName } from './nearest.ts'
export { loadRecipe, type ParseOptions, parseRecipe } from './parse.ts'
export { pipelineNames, runPipeline } from './pipelines/index.ts'
export type { PipelineOptions } from './pipelines/pipeline.ts'
export { planRecipe } from './plan.ts'
export { type RunEvent, type RunOptions, type RunOutcome, runRecipe } from './run.ts'
export { type Recipe, type RecipeInput, recipeSchema } from './schema.ts'
export type { Step } from './step.ts'
export type { StepRecord } from './stepFolder.ts'
export { formatTokens } from './tokenCount.ts'
