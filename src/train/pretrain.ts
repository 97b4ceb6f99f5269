import { countTargets, type LossBatch } from '../model/index.ts'
import { step as engineStep } from '../tensor/index.ts'
import { type Objective, type StepOutcome, type TrainOptions, type TrainResult, trainLoop } from './loop.ts'
import type { Schedule } from './schedule.ts'

/** An endless stream of batches whose position can be saved: the mixture's sampler. */
export interface BatchSource {
  next(): LossBatch
  /** As JSON. */
  state(): unknown
  restore(state: unknown): void
  setWeights?(weights: Record<string, number>): void
}

export interface PretrainOptions extends TrainOptions {
  sampler: BatchSource
  schedule: Schedule
  /** Optimizer steps of the whole schedule, all stages together. */
  totalSteps: number
  /** This call does the steps after `fromStep` (0) up to `toStep` (all): one stage. */
  fromStep?: number
  toStep?: number
  /** The checkpoint folder of the stage before: its parameters, moments and data position go on. */
  continueFrom?: string
  /** The mixture of this stage, set when it begins; the sampler's own when left out. */
  weights?: Record<string, number>
  /** Batches to an optimizer step; 1 when left out. */
  gradientAccumulation?: number
}

/**
 * Pretrains a stage: next-token loss on packed documents. With a checkpoint folder it goes on from the newest whole
 * checkpoint in it, and ends with the same bits as if it had never stopped (same machine type, same threads).
 *
 * @throws SmolforgeError `interrupted` after a stop signal, `input` for a loss that is not finite, `storage`.
 */
export async function pretrain(options: PretrainOptions): Promise<TrainResult> {
  const { llama, sampler, totalSteps, weights, gradientAccumulation = 1 } = options
  const { fromStep = 0, toStep = totalSteps } = options
  const objective: Objective = {
    kind: 'pretrain',
    identity: { totalSteps, fromStep, gradientAccumulation, weights: weights ?? null },
    accumulate() {
      const batches = Array.from({ length: gradientAccumulation }, () => sampler.next())
      return accumulateLoss(batches, (batch) => llama.loss(batch).loss)
    },
    state: () => sampler.state(),
    restore: (state) => sampler.restore(state),
  }
  if (weights) sampler.setWeights?.(weights)
  const plan = {
    schedule: options.schedule,
    totalSteps,
    fromStep,
    toStep,
    continueFrom: options.continueFrom,
    // What was restored carries the mixture of the stage before.
    onContinue: () => weights && sampler.setWeights?.(weights),
  }
  return trainLoop(objective, plan, options)
}

/**
 * Forward and backward of several batches as if they were one: every target of all of them counts the same. The
 * gradients stay in the parameters.
 */
export function accumulateLoss(
  batches: readonly LossBatch[],
  lossOf: (batch: LossBatch) => { backward(): void; item(): number },
): StepOutcome {
  const targets = batches.reduce((sum, batch) => sum + countTargets(batch.targets), 0)
  let loss = 0
  let tokens = 0
  for (const batch of batches) {
    const weights = new Float32Array(batch.targets.length).fill(1 / Math.max(1, targets))
    loss += engineStep(() => {
      const scalar = lossOf({ ...batch, weights })
      scalar.backward()
      return scalar.item()
    })
    tokens += batch.tokens.length
  }
  return { loss, tokens }
}
