import { join } from 'node:path'
import type { LedgerEntry } from '../../mixture/index.ts'
import { Sampler } from '../../shards/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { pretrain, type Schedule } from '../../train/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind, StepWork } from '../step.ts'
import { writeJson } from './curation.ts'
import {
  type ChosenMixture,
  readChosenMixture,
  readStageMixture,
  type StageMixture,
  weightsOver,
} from './mixture.ts'
import { openShardSets } from './shards.ts'
import {
  configureEngine,
  firstModel,
  heldOutLook,
  keepNewestCheckpoint,
  type LoadedModel,
  optimizerOf,
  type TrainingSettings,
  trainingResult,
} from './training.ts'

export interface PretrainConfig {
  seed: number
  engine: Recipe['engine']
  /** From 1. */
  stage: number
  name?: string
  /** Of the first stage; later ones read their refinement. */
  mixture?: ChosenMixture
  /** Of a new model. */
  model?: Recipe['model']
  /** Or one to begin from. */
  loaded?: LoadedModel
  training: TrainingSettings
  caps: Record<string, number>
  startStep: number
  endStep: number
  totalSteps?: number
  schedule: Schedule
  /** The steps that the mixture comes from. */
  mixtureFrom?: string
}

/** One stage of pretraining: the model, the optimizer and the data go on where the stage before ended. */
export const pretrainStep: StepKind<PretrainConfig> = {
  kind: 'pretrain',
  version: 1,
  resumes: true,
  async run(work) {
    const { stage, seed, training, engine, startStep, endStep } = work.config
    configureEngine(work.places, engine.precision)
    const tokenizer = await Tokenizer.load(join(work.inputs.tokenizer, 'tokenizer'))
    const llama = await firstModel(work.config, tokenizer, work.places.baseDir)
    const sets = await openShardSets(work.inputs.shards)
    const chosen = await chosenMixture(work)
    const { weights, warnings } = weightsOver(chosen.weights, Object.keys(sets))
    const micro = training.microBatchSize ?? training.batchSize
    const sampler = new Sampler({
      sets,
      weights,
      batchSize: micro,
      sequenceLength: training.sequenceLength,
      packing: training.packing,
      seed,
      epochCaps: Object.fromEntries(Object.keys(sets).map((domain) => [domain, work.config.caps[domain]])),
    })
    const before = stage === 1 ? undefined : work.inputs[`pretrain-${stage - 1}`]
    const state = join(work.folder, 'state')
    try {
      const result = await pretrain({
        llama,
        sampler,
        weights,
        optimizer: optimizerOf(training),
        recomputeActivations: training.recomputeActivations,
        schedule: work.config.schedule,
        totalSteps: work.config.totalSteps ?? endStep,
        fromStep: startStep,
        toStep: endStep,
        continueFrom: before && join(before, 'state'),
        gradientAccumulation: training.batchSize / micro,
        checkpoint: {
          dir: state,
          everySteps: training.checkpointEverySteps,
          everySeconds: training.checkpointEverySeconds,
        },
        metricsFile: join(work.folder, 'metrics.jsonl'),
        heldOut: {
          everySteps: training.heldOutEverySteps || Math.max(1, Math.ceil((endStep - startStep) / 8)),
          evaluate: await heldOutLook(llama, tokenizer, work.inputs.split, training.heldOutBytes),
          file: join(work.folder, 'heldout.jsonl'),
        },
        onProgress: work.onProgress,
        stop: work.stop,
      })
      await llama.save(join(work.folder, 'model'), tokenizer)
      await keepNewestCheckpoint(state)
      const tokensStart = before === undefined ? 0 : (await readStageMixture(before)).tokensEnd
      const mixture: StageMixture = {
        stage,
        name: work.config.name,
        weights,
        stepsStart: startStep,
        stepsEnd: endStep,
        tokensStart,
        tokensEnd: result.tokens,
        reason: chosen.reason,
        by: chosen.by,
        consumed: sampler.consumed(),
        rows: sampler.filled(),
      }
      await writeJson(work, 'mixture.json', mixture)
      await writeJson(work, 'sampler.json', sampler.state())
      const summary = trainingResult(result, startStep, tokensStart)
      return {
        ...summary,
        warnings: [...warnings, ...(summary.warnings ?? [])],
        decisions: stage === 1 ? [firstDecision(chosen)] : [],
      }
    } finally {
      for (const set of Object.values(sets)) set.close()
      llama.free()
    }
  },
}

async function chosenMixture({ config, inputs }: StepWork<PretrainConfig>): Promise<ChosenMixture> {
  if (config.mixture) return config.mixture
  return readChosenMixture(inputs[config.mixtureFrom ?? `refine-${config.stage - 1}`])
}

function firstDecision({ weights, reason }: ChosenMixture): Omit<LedgerEntry, 'at' | 'step'> {
  const decision = 'mixture of stage 1'
  return { decision, by: 'person', before: {}, after: weights, reasons: [reason], evidence: [] }
}
