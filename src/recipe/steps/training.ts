import { readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SmolforgeError } from '../../errors.ts'
import { heldOutScores } from '../../eval/index.ts'
import {
  LanguageModel,
  Llama,
  type LlamaConfig,
  LoraAdapter,
  type LoraInput,
  mergeAdapter,
  saveAdapter,
} from '../../model/index.ts'
import { Random } from '../../random/random.ts'
import type { PackingName } from '../../shards/index.ts'
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

/** What pretraining and ablation look at; the packing is there where it is not `concatenate`. */
export type TrainingSettings = Omit<
  Recipe['training'],
  'schedule' | 'maxEpochs' | 'epochCaps' | 'packing'
> & {
  packing?: PackingName
}

/** The optimizer of pretraining in the words of the training room. */
export function optimizerOf(training: TrainingSettings): OptimizerInput {
  const { learningRate, betas, epsilon, weightDecay, gradientClip } = training
  const [beta1, beta2] = betas
  const state = training.optimizerState
  const adamw = { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm: gradientClip, state }
  if (training.optimizer === 'adamw') return { kind: 'adamw', ...adamw }
  const { muonLearningRate, muonMomentum } = training
  return { kind: 'muon', ...adamw, matrixLearningRate: muonLearningRate, momentum: muonMomentum }
}

/** A model from outside that a run begins from. */
export interface LoadedModel {
  /** A folder, as the recipe says. */
  path: string
  /** What is in it, for the keys of the steps. */
  files: Record<string, string>
}

/**
 * The model that pretraining begins with: loaded, or new with the vocabulary of the tokenizer that was trained.
 *
 * @throws SmolforgeError `recipe` for sequences or a vocabulary that a loaded model has no room for.
 */
export async function firstModel(
  { model, loaded, seed, training }: FirstModel,
  tokenizer: Tokenizer,
  baseDir: string,
): Promise<Llama> {
  const { sequenceLength } = training
  if (loaded === undefined) {
    if (model === undefined) throw new SmolforgeError('recipe', 'The recipe has no model')
    return Llama.create(llamaConfig(model, tokenizer, sequenceLength), Random.derive(seed, 'model'))
  }
  const path = resolve(baseDir, loaded.path)
  const llama = await Llama.load(path)
  const { maxPositionEmbeddings, vocabSize } = llama.config
  const complaint =
    sequenceLength > maxPositionEmbeddings
      ? `training.sequenceLength is ${sequenceLength}, the model has ${maxPositionEmbeddings} positions`
      : tokenizer.vocabSize > vocabSize
        ? `Its tokenizer has ${tokenizer.vocabSize} tokens, its weights are for ${vocabSize}`
        : undefined
  if (complaint === undefined) return llama
  llama.free()
  throw new SmolforgeError('recipe', complaint, { place: { file: path, field: 'baseModel' } })
}

interface FirstModel {
  model?: Recipe['model']
  loaded?: LoadedModel
  seed: number
  training: { sequenceLength: number }
}

function llamaConfig(
  model: NonNullable<Recipe['model']>,
  tokenizer: Tokenizer,
  sequenceLength: number,
): LlamaConfig {
  const { maxPositionEmbeddings = sequenceLength, ...shape } = model
  return { ...shape, maxPositionEmbeddings, vocabSize: tokenizer.vocabSize }
}

/** What is tuned: the model itself, or an adapter beside its weights, which is saved and merged when training is over. */
export function tuned(base: Llama, lora: LoraInput | undefined, seed: number) {
  const adapter = lora && LoraAdapter.create(base.config, lora, seed)
  return {
    llama: adapter ? base.withAdapter(adapter) : base,
    async save(folder: string, tokenizer: Tokenizer): Promise<void> {
      if (adapter) {
        await saveAdapter(join(folder, 'adapter'), adapter)
        mergeAdapter(base, adapter)
      }
      await base.save(join(folder, 'model'), tokenizer)
    },
    free(): void {
      base.free()
      adapter?.free()
    },
  }
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
