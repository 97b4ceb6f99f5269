import type { LedgerEntry } from '../mixture/index.ts'
import type { Progress, StopSignal } from '../progress/progress.ts'

/**
 * One step of a run as the plan means it. Its key is the hash of what it does (kind, version, configuration, local
 * files) and of its inputs' keys: equal keys, equal results.
 */
export interface Step {
  readonly name: string
  readonly kind: string
  readonly inputs: readonly string[]
  /** Plain JSON: exactly the part of the recipe that this step looks at. */
  readonly config: unknown
  readonly key: string
}

/** What a step of one kind does, and the version of its code: raise it when the same input gives another result. */
export interface StepKind<Config> {
  readonly kind: string
  readonly version: number
  /** Whether an unfinished folder can be gone on with; otherwise a new attempt begins with an empty one. */
  readonly resumes: boolean
  run(work: StepWork<Config>): Promise<StepResult>
}

/** What a step is given: its configuration, its inputs' finished folders and an own folder to fill. */
export interface StepWork<Config> {
  readonly name: string
  readonly config: Config
  readonly folder: string
  /** Folders of the finished steps named in `inputs`, by step name. */
  readonly inputs: Readonly<Record<string, string>>
  readonly places: RunPlaces
  readonly onProgress: Progress
  readonly stop: StopSignal
}

/** Where things outside the step's folder are; none of it has an influence on the step's result. */
export interface RunPlaces {
  readonly runDir: string
  /** Relative paths of a recipe start here: the folder of the recipe's file. */
  readonly baseDir: string
  /** Downloads, shared between runs. */
  readonly cacheDir: string
  /** Threads for kernels; 0 takes what the machine has. */
  readonly threads: number
}

/** What a finished step says about itself; it becomes a part of step.json. */
export interface StepResult {
  counts?: Record<string, number>
  metrics?: Record<string, number>
  bytes?: number
  warnings?: string[]
  /** Decisions for the ledger, without the time and the step's name, which the run adds. */
  decisions?: Omit<LedgerEntry, 'at' | 'step'>[]
}

/** Does one step and tells its result: in this thread, or in a worker. */
export type StepExecutor = (
  job: StepJob,
  watch: { onProgress: Progress; stop: StopSignal },
) => Promise<StepResult>

/** A step made ready to be done; plain data, so that it can be sent to a worker. */
export interface StepJob {
  readonly name: string
  readonly kind: string
  readonly config: unknown
  readonly folder: string
  readonly inputs: Readonly<Record<string, string>>
  readonly places: RunPlaces
}
