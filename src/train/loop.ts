import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { SmolforgeError } from '../errors.ts'
import { type Llama, modelHash } from '../model/index.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../progress/progress.ts'
import { engineInfo, type Tensor } from '../tensor/index.ts'
import { type FoundCheckpoint, findCheckpoint, saveCheckpoint } from './checkpoint.ts'
import { type HeldOutMetrics, openStepLog, type TrainMetrics } from './metrics.ts'
import { Optimizer, type OptimizerInput } from './optimizer.ts'
import { type Schedule, scheduleRate } from './schedule.ts'
import type { TrainState } from './state.ts'

/** What pretraining, SFT and DPO are all told. */
export interface TrainOptions {
  /** Trained in place. */
  llama: Llama
  optimizer: OptimizerInput
  /** Keep the input of each block alone and compute the block again in backward: for long contexts. The same bits. */
  recomputeActivations?: boolean
  /** Where to save and from where to go on; without it an interruption loses the work. */
  checkpoint?: CheckpointOptions
  /** `metrics.jsonl`: one line a step. */
  metricsFile?: string
  heldOut?: HeldOutOptions
  onMetrics?: (metrics: TrainMetrics) => void
  onProgress?: Progress
  /** A damaged checkpoint that was passed over, other threads than before; also in the result. */
  onWarning?: (message: string) => void
  /** Asked between steps: training then saves a checkpoint and ends with the error `interrupted`. */
  stop?: StopSignal
}

export interface CheckpointOptions {
  dir: string
  everySteps?: number
  everySeconds?: number
  /** How many stay; 2 when left out. */
  keep?: number
}

export interface HeldOutOptions {
  everySteps: number
  /** Scores the model as it is now. It must not change it. */
  evaluate: () => HeldOutScores | Promise<HeldOutScores>
  /** `heldout.jsonl`. */
  file?: string
}

export type HeldOutScores = readonly { domain: string; bitsPerByte: number }[]

export interface TrainResult {
  /** The last optimizer step, of the whole schedule. */
  step: number
  tokens: number
  /** Of the last step; undefined when there was none. */
  loss: number | undefined
  elapsedMs: number
  /** The step of the checkpoint that training went on from. */
  resumedFrom: number | undefined
  warnings: string[]
}

/** What differs between the kinds of training: where a step's batches come from, and their loss. */
export interface Objective {
  readonly kind: TrainState['kind']
  /** What must be the same for a checkpoint to fit; it is hashed. */
  readonly identity: unknown
  /** Forward and backward of the batches of one optimizer step; the gradients stay summed in the parameters. */
  accumulate(step: number): StepOutcome
  /** The position of the data, as JSON. */
  state(): unknown
  restore(state: unknown): void
}

export interface StepOutcome {
  loss: number
  tokens: number
  accuracy?: number
  margin?: number
}

export interface LoopPlan {
  schedule: Schedule
  /** Of the whole schedule. */
  totalSteps: number
  /** This call does the steps after `fromStep` up to `toStep`. */
  fromStep: number
  toStep: number
  /** A folder of checkpoints of the stage before, whose parameters, moments and data position go on. */
  continueFrom?: string
  /** Runs once after the position of the data went on from the stage before. */
  onContinue?: () => void
}

/** The one training loop: steps, metrics, checkpoints, resuming, stopping. */
export async function trainLoop(
  objective: Objective,
  plan: LoopPlan,
  options: TrainOptions,
): Promise<TrainResult> {
  const { llama, checkpoint, heldOut, onMetrics, onProgress = noProgress, stop = neverStop } = options
  llama.recomputeActivations = options.recomputeActivations ?? false
  const optimizer = new Optimizer(options.optimizer, llama)
  const tensors = trainedTensors(llama, optimizer)
  const warnings: string[] = []
  const warn = (message: string) => {
    warnings.push(message)
    options.onWarning?.(message)
  }
  const parts = [objective.kind, llama.config, optimizer.config, plan.schedule, objective.identity]
  const { adapter } = llama
  // A checkpoint of an adapter lacks the weights that it belongs to: it is known by their hash.
  const config = sha256Of(adapter ? [...parts, adapter.config, await modelHash(llama)] : parts)
  let state: TrainState = {
    kind: objective.kind,
    step: plan.fromStep,
    tokens: 0,
    elapsedMs: 0,
    loss: null,
    config,
    engine: engineSettings(),
    engineChanges: [],
    data: null,
  }
  let resumedFrom: number | undefined
  try {
    const found = await findStart(objective, plan, checkpoint?.dir, config, warn)
    if (found) {
      await found.checkpoint.restore(tensors)
      objective.restore(found.checkpoint.state.data)
      state = { ...afterEngineChange(found.checkpoint.state, warn), config }
      if (found.own) resumedFrom = state.step
      else plan.onContinue?.()
    }
    const metricsLog = await openStepLog(options.metricsFile, state.step)
    const heldOutLog = await openStepLog(heldOut?.file, state.step)
    let savedStep = found?.own ? state.step : -1
    let savedAt = performance.now()
    const save = async () => {
      if (checkpoint === undefined || savedStep === state.step) return
      await metricsLog.sync()
      await heldOutLog.sync()
      await saveCheckpoint(checkpoint.dir, { ...state, data: objective.state() }, tensors, checkpoint)
      savedStep = state.step
      savedAt = performance.now()
    }
    const isDue = (every: number | undefined) => every !== undefined && state.step % every === 0
    try {
      while (state.step < plan.toStep) {
        if (stop.stopped) {
          await save()
          throw interrupted(state.step, checkpoint !== undefined)
        }
        const metrics = trainStep(objective, optimizer, plan, state)
        state = { ...state, ...pick(metrics) }
        await metricsLog.append(metrics)
        onMetrics?.(metrics)
        const { loss, learningRate, tokensPerSecond } = metrics
        onProgress({
          done: state.step,
          total: plan.toStep,
          unit: 'steps',
          metrics: { loss, learningRate, tokensPerSecond, tokens: state.tokens },
        })
        // Posted messages and signals get their turn between steps.
        await setImmediate()
        if (heldOut && (isDue(heldOut.everySteps) || state.step === plan.toStep)) {
          // By name: a score may carry more, its own count of tokens for one.
          for (const { domain, bitsPerByte } of await heldOut.evaluate()) {
            const line: HeldOutMetrics = { step: state.step, tokens: state.tokens, domain, bitsPerByte }
            await heldOutLog.append(line)
          }
        }
        const seconds = (performance.now() - savedAt) / 1000
        if (
          isDue(checkpoint?.everySteps) ||
          seconds >= (checkpoint?.everySeconds ?? Number.POSITIVE_INFINITY)
        ) {
          await save()
        }
      }
      await save()
    } finally {
      await metricsLog.close()
      await heldOutLog.close()
    }
  } finally {
    optimizer.free()
  }
  const { step, tokens, elapsedMs } = state
  return { step, tokens, loss: state.loss ?? undefined, elapsedMs, resumedFrom, warnings }
}

function trainStep(
  objective: Objective,
  optimizer: Optimizer,
  plan: LoopPlan,
  state: TrainState,
): TrainMetrics {
  const started = performance.now()
  const step = state.step + 1
  const rate = scheduleRate(plan.schedule, step, plan.totalSteps)
  const { tokens, ...outcome } = objective.accumulate(step)
  const { gradientNorm } = optimizer.update(step, rate)
  if (!Number.isFinite(outcome.loss) || !Number.isFinite(gradientNorm)) throw diverged(step, outcome.loss)
  const milliseconds = performance.now() - started
  return {
    step,
    tokens: state.tokens + tokens,
    ...outcome,
    learningRate: rate * optimizer.config.learningRate,
    gradientNorm,
    tokensPerSecond: (tokens / milliseconds) * 1000,
    elapsedMs: state.elapsedMs + milliseconds,
  }
}

/** The run's own newest checkpoint, else the end of the stage before. */
async function findStart(
  objective: Objective,
  plan: LoopPlan,
  dir: string | undefined,
  config: string,
  warn: (message: string) => void,
): Promise<{ checkpoint: FoundCheckpoint; own: boolean } | undefined> {
  const own = dir === undefined ? undefined : await findCheckpoint(dir, warn)
  if (own) {
    if (own.state.config !== config || own.state.kind !== objective.kind) {
      throw new SmolforgeError('input', 'This checkpoint was made with other settings', {
        place: { file: own.path },
        hint: 'Give the settings it was made with, or another checkpoint folder to begin again.',
      })
    }
    return { checkpoint: own, own: true }
  }
  if (plan.continueFrom === undefined) return undefined
  const before = await findCheckpoint(plan.continueFrom, warn)
  if (before?.state.step === plan.fromStep && before.state.kind === objective.kind) {
    return { checkpoint: before, own: false }
  }
  const what =
    before === undefined ? 'There is no checkpoint' : `The checkpoint is of step ${before.state.step}`
  throw new SmolforgeError('input', `${what}; training was to go on from step ${plan.fromStep}`, {
    place: { file: plan.continueFrom },
    hint: 'Run the stage before to its end first.',
  })
}

/** Everything that a checkpoint holds, by name. */
function trainedTensors(llama: Llama, optimizer: Optimizer): Map<string, Tensor> {
  const parameters = [...llama.trainable].map(([name, tensor]) => [`parameters/${name}`, tensor] as const)
  return new Map([...parameters, ...optimizer.moments])
}

function engineSettings(): TrainState['engine'] {
  const { isa, threads, precision } = engineInfo()
  return { isa, threads, precision }
}

function afterEngineChange(state: TrainState, warn: (message: string) => void): TrainState {
  const [from, to] = [state.engine, engineSettings()]
  if (JSON.stringify(from) === JSON.stringify(to)) return state
  const show = (engine: TrainState['engine']) =>
    `${engine.isa}, ${engine.threads} threads, ${engine.precision}`
  warn(
    `Training went on at step ${state.step} with ${show(to)} instead of ${show(from)}: the weights may differ in ` +
      'their last bits from an undisturbed run',
  )
  return { ...state, engine: to, engineChanges: [...state.engineChanges, { step: state.step, from, to }] }
}

function pick({ step, tokens, elapsedMs, loss }: TrainMetrics) {
  return { step, tokens, elapsedMs, loss }
}

function interrupted(step: number, saved: boolean): SmolforgeError {
  return new SmolforgeError('interrupted', `Training was stopped after step ${step}`, {
    hint: saved ? 'A checkpoint was saved: run the same command again to go on.' : undefined,
  })
}

function diverged(step: number, loss: number): SmolforgeError {
  return new SmolforgeError(
    'input',
    `Training diverged at step ${step}: the loss is ${loss} or its gradient is not finite`,
    {
      hint: 'Try half the learning rate, a longer warm-up or f32 precision. The last checkpoint is kept.',
    },
  )
}

function sha256Of(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}
