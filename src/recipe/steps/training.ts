import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { heldOutScores } from '../../eval/index.ts'
import { LanguageModel, type Llama, type LlamaConfig } from '../../model/index.ts'
import { configure } from '../../tensor/index.ts'
import type { Tokenizer } from '../../tokenizer/index.ts'
import type { HeldOutScores, OptimizerInput, TrainResult } from '../../train/index.ts'
import type { Recipe } from '../schema.ts'
import type { RunPlaces, StepResult } from '../step.ts'
import { heldOutTexts } from './heldOut.ts'

/** Sets the engine up as the recipe says; the number of threads may be given for this run alone. */
export function configureEngine(places: RunPlaces, precision: 'f32' | 'bf16'): void {
  configure(places.threads > 0 ? { threads: places.threads, precision } : { precision })
}

/** The optimizer of pretraining in the words of the training room. */
export function optimizerOf(
  training: Omit<Recipe['training'], 'schedule' | 'maxEpochs' | 'epochCaps'>,
): OptimizerInput {
  const { learningRate, betas, epsilon, weightDecay, gradientClip } = training
  const [beta1, beta2] = betas
  const adamw = { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm: gradientClip }
  if (training.optimizer === 'adamw') return { kind: 'adamw', ...adamw }
  const { muonLearningRate, muonMomentum } = training
  return { kind: 'muon', ...adamw, matrixLearningRate: muonLearningRate, momentum: muonMomentum }
}

/** The model's shape: the recipe's, with the vocabulary of the tokenizer that was trained. */
export function llamaConfig(
  model: Recipe['model'],
  tokenizer: Tokenizer,
  sequenceLength: number,
): LlamaConfig {
  const { maxPositionEmbeddings = sequenceLength, ...shape } = model
  return { ...shape, maxPositionEmbeddings, vocabSize: tokenizer.vocabSize }
}

/** Looks at held-out text during training: bits per byte of a few bytes of each domain. */
export async function heldOutLook(
  llama: Llama,
  tokenizer: Tokenizer,
  splitFolder: string,
  bytes: number,
): Promise<() => Promise<HeldOutScores>> {
  const texts = await heldOutTexts(splitFolder, bytes)
  const model = new LanguageModel(llama, tokenizer)
  return () => heldOutScores(model, texts)
}

/** A finished training keeps its newest checkpoint alone: the next stage goes on from it. */
export async function keepNewestCheckpoint(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('step-')).sort()
  for (const name of names.slice(0, -1)) await rm(join(folder, name), { recursive: true, force: true })
}

/** What training steps say about themselves. */
export function trainingResult(result: TrainResult, fromStep = 0, tokensBefore = 0): StepResult {
  const { step, tokens, loss, elapsedMs, warnings } = result
  const metrics: Record<string, number> = { elapsedMs }
  if (loss !== undefined) metrics.loss = loss
  return { counts: { steps: step - fromStep, tokens: tokens - tokensBefore }, metrics, warnings }
}
