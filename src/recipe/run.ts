import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { cpus, platform, release, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import { takeLock } from '../files/lock.ts'
import { workersAvailable } from '../files/threads.ts'
import { neverStop, type ProgressEvent, type StopSignal } from '../progress/progress.ts'
import { engineInfo } from '../tensor/index.ts'
import { executeHere, StepWorker } from './executor.ts'
import { isModelKind } from './inspect.ts'
import { writeLedger } from './ledger.ts'
import { planRecipe } from './plan.ts'
import type { Recipe } from './schema.ts'
import type { RunPlaces, Step, StepExecutor, StepKind, StepResult } from './step.ts'
import {
  finishedFolder,
  openPartial,
  partialFolder,
  publishStep,
  readStepRecord,
  replaceFolder,
  type StepRecord,
  verifyStep,
} from './stepFolder.ts'
import { stepKinds } from './steps/registry.ts'

export interface RunOptions {
  /** The folder of the run; default `runs/NAME` under the working folder. */
  runDir?: string
  /** Where relative paths in the recipe start; default the working folder. */
  baseDir?: string
  /** Downloads shared between runs; default `.cache` under the working folder. */
  cacheDir?: string
  /** Kernel threads; default what the recipe says, else all. */
  threads?: number
  /** Only these steps and what they need; default all. */
  until?: readonly string[]
  /** The recipe's text as a person wrote it, kept as recipe.yaml. */
  recipeText?: string
  recipeFile?: string
  /** Writes the report of a run's folder: the report room's `writeReport`, handed in from above. */
  writeReport?: (runDir: string) => Promise<unknown>
  stop?: StopSignal
  onEvent?: (event: RunEvent) => void
  /** `worker` (default for compiled code) keeps this thread free; `here` does the steps in this thread. */
  thread?: 'worker' | 'here'
}

/** What a run says while it works, one after the other. */
export type RunEvent =
  | { type: 'plan'; runDir: string; steps: { name: string; key: string; done: boolean }[] }
  | { type: 'step-started'; step: string; goesOn: boolean }
  | ({ type: 'progress'; step: string } & ProgressEvent)
  | { type: 'step-done'; step: string; kept: boolean; record: StepRecord }
  | { type: 'run-done'; runDir: string; done: number; kept: number; seconds: number }

export interface RunOutcome {
  runDir: string
  /** Names of the steps done now and of those found finished. */
  done: string[]
  kept: string[]
}

/**
 * Does the steps of a recipe that are missing in the run's folder, in order; each appears there by one rename when it
 * is whole. Killed anywhere, the same call goes on where it was, to the same bits.
 *
 * @throws SmolforgeError `interrupted` when the stop signal was given; what was done is saved.
 */
export async function runRecipe(recipe: Recipe, options: RunOptions = {}): Promise<RunOutcome> {
  const started = Date.now()
  const runDir = resolve(options.runDir ?? join('runs', recipe.name))
  const places: RunPlaces = {
    runDir,
    baseDir: resolve(options.baseDir ?? '.'),
    cacheDir: resolve(options.cacheDir ?? '.cache'),
    threads: options.threads ?? recipe.engine.threads,
  }
  const plan = await planRecipe(recipe, places.baseDir)
  const steps = options.until ? withNeeded(plan, options.until) : plan
  return runSteps(steps, places, {
    ...options,
    begin: () => describeRun(recipe, plan, places, options),
    async end() {
      await writeLedger(runDir, plan)
      await linkLastModel(runDir, plan)
    },
    started,
  })
}

/** What a run needs besides its steps and places. */
export interface StepsOptions extends Pick<RunOptions, 'writeReport' | 'stop' | 'onEvent' | 'thread'> {
  /** Done with the folder locked, before the first step and after the last. */
  begin?: () => Promise<void>
  end?: () => Promise<void>
  started?: number
}

/**
 * Does the steps that are missing in a folder, in order, as `runRecipe` does those of a recipe.
 *
 * @throws SmolforgeError `interrupted` when the stop signal was given; what was done is saved.
 */
export async function runSteps(
  steps: readonly Step[],
  places: RunPlaces,
  options: StepsOptions,
): Promise<RunOutcome> {
  const { runDir } = places
  const { started = Date.now() } = options
  try {
    await mkdir(join(runDir, 'steps'), { recursive: true })
  } catch (error) {
    throw fileError(error, runDir)
  }
  const unlock = await takeLock(join(runDir, 'run.lock'), {
    folder: runDir,
    work: 'Another run',
    hint: 'Wait until it ends, stop it with Ctrl-C, or choose another folder with --run.',
  })
  const useWorker = (options.thread ?? (workersAvailable ? 'worker' : 'here')) === 'worker'
  const worker = useWorker && workersAvailable ? new StepWorker() : undefined
  try {
    await options.begin?.()
    const run = new RunOfSteps(steps, places, worker?.execute ?? executeHere, options)
    const outcome = await run.all()
    await options.end?.()
    options.onEvent?.({
      type: 'run-done',
      runDir,
      done: outcome.done.length,
      kept: outcome.kept.length,
      seconds: (Date.now() - started) / 1000,
    })
    return outcome
  } finally {
    await worker?.close()
    await unlock()
  }
}

class RunOfSteps {
  readonly #steps: readonly Step[]
  readonly #places: RunPlaces
  readonly #execute: StepExecutor
  readonly #options: StepsOptions
  readonly #records = new Map<string, StepRecord>()
  readonly #verified = new Set<string>()

  constructor(steps: readonly Step[], places: RunPlaces, execute: StepExecutor, options: StepsOptions) {
    this.#steps = steps
    this.#places = places
    this.#execute = execute
    this.#options = options
  }

  async all(): Promise<RunOutcome> {
    const { runDir } = this.#places
    const done: string[] = []
    const kept: string[] = []
    for (const step of this.#steps) {
      const record = await readStepRecord(finishedFolder(runDir, step.name))
      const isThere = step.kind !== 'report' || existsSync(join(runDir, 'report.html'))
      if (record?.key === step.key && isThere) this.#records.set(step.name, record)
    }
    this.#say({
      type: 'plan',
      runDir,
      steps: this.#steps.map(({ name, key }) => ({ name, key, done: this.#records.has(name) })),
    })
    for (const step of this.#steps) {
      const found = this.#records.get(step.name)
      if (!found && this.#stop.stopped) throw interrupted(step.name, false)
      const record = found ?? (await this.#one(step))
      this.#records.set(step.name, record)
      ;(found ? kept : done).push(step.name)
      this.#say({ type: 'step-done', step: step.name, kept: found !== undefined, record })
    }
    return { runDir, done, kept }
  }

  async #one(step: Step): Promise<StepRecord> {
    const { runDir } = this.#places
    const kind = stepKinds[step.kind]
    if (!kind) throw new SmolforgeError('internal', `No step kind ${step.kind}`)
    for (const input of step.inputs) await this.#verify(input)
    const partial = partialFolder(runDir, step.name)
    const finished = finishedFolder(runDir, step.name)
    const { attempt, ready } = await openPartial(partial, step.key, kind.resumes)
    if (ready) {
      await replaceFolder(partial, finished)
      return ready
    }
    this.#say({ type: 'step-started', step: step.name, goesOn: attempt.attempts > 1 && kind.resumes })
    const result = await this.#work(step, kind, partial)
    return publishStep(partial, finished, {
      name: step.name,
      kind: step.kind,
      key: step.key,
      inputs: [...step.inputs],
      startedAt: attempt.startedAt,
      seconds: round(attempt.earlierSeconds + (Date.now() - Date.parse(attempt.startedAt)) / 1000),
      attempts: attempt.attempts,
      counts: result.counts ?? {},
      bytes: result.bytes ?? 0,
      warnings: result.warnings ?? [],
      metrics: result.metrics ?? {},
      decisions: result.decisions ?? [],
    })
  }

  async #work(step: Step, kind: StepKind<unknown>, folder: string): Promise<StepResult> {
    const { runDir } = this.#places
    const onProgress = (event: ProgressEvent) => this.#say({ type: 'progress', step: step.name, ...event })
    if (step.kind === 'report') {
      // The report reads the ledger and the model link, which belong to the run and not to one step.
      await writeLedger(runDir, this.#steps)
      await linkLastModel(runDir, this.#steps)
      await this.#options.writeReport?.(runDir)
      return { warnings: this.#options.writeReport ? [] : ['no report writer was handed in'] }
    }
    const inputs = Object.fromEntries(step.inputs.map((name) => [name, finishedFolder(runDir, name)]))
    const { name, config } = step
    const job = { name, kind: kind.kind, config, folder, inputs, places: this.#places }
    try {
      return await this.#execute(job, { onProgress, stop: this.#stop })
    } catch (error) {
      if (this.#stop.stopped && isInterruption(error)) throw interrupted(step.name, kind.resumes)
      throw fileError(error, folder)
    }
  }

  /** Checksums of a finished step are compared once, before the first step that reads it. */
  async #verify(name: string): Promise<void> {
    if (this.#verified.has(name)) return
    const record = this.#records.get(name)
    if (!record) throw new SmolforgeError('internal', `Step ${name} is not done yet`)
    await verifyStep(finishedFolder(this.#places.runDir, name), record)
    this.#verified.add(name)
  }

  get #stop(): StopSignal {
    return this.#options.stop ?? neverStop
  }

  #say(event: RunEvent): void {
    this.#options.onEvent?.(event)
  }
}

/** The named steps with all that they need, in the order of the plan. */
function withNeeded(plan: readonly Step[], names: readonly string[]): Step[] {
  const byName = new Map(plan.map((step) => [step.name, step]))
  const needed = new Set<string>()
  const visit = (name: string) => {
    if (needed.has(name)) return
    const step = byName.get(name)
    if (!step) throw new SmolforgeError('usage', `This recipe has no step ${name}`)
    needed.add(name)
    step.inputs.forEach(visit)
  }
  names.forEach(visit)
  return plan.filter((step) => needed.has(step.name))
}

/** run.json and recipe.yaml: what was asked for, when, on which machine, with which versions. */
async function describeRun(
  recipe: Recipe,
  plan: readonly Step[],
  places: RunPlaces,
  options: RunOptions,
): Promise<void> {
  const path = join(places.runDir, 'run.json')
  const before: unknown = await readFile(path, 'utf8')
    .then(JSON.parse)
    .catch(() => undefined)
  const startedAt = (before as { startedAt?: string } | undefined)?.startedAt ?? new Date().toISOString()
  const engine = engineInfo()
  const [cpu] = cpus()
  const description = {
    name: recipe.name,
    recipe,
    recipeFile: options.recipeFile,
    startedAt,
    updatedAt: new Date().toISOString(),
    versions: { smolforge: await packageVersion(), node: process.versions.node },
    machine: {
      cpu: cpu?.model ?? 'unknown',
      cores: cpus().length,
      memoryBytes: totalmem(),
      isa: engine.isa,
      threads: places.threads || engine.threads,
      os: `${platform()} ${release()}`,
    },
    steps: plan.map(({ name, kind, key, inputs }) => ({ name, kind, key, inputs })),
  }
  await writeFileAtomic(path, `${JSON.stringify(description, null, 2)}\n`)
  const text = options.recipeText ?? JSON.stringify(recipe, null, 2)
  await writeFileAtomic(join(places.runDir, 'recipe.yaml'), text)
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** `model` in the run's folder points at the newest model: of DPO, else SFT, else the last stage done. */
async function linkLastModel(runDir: string, plan: readonly Step[]): Promise<void> {
  const link = join(runDir, 'model')
  const draft = join(runDir, '.model.tmp')
  let last: Step | undefined
  for (const step of plan) {
    if (!isModelKind(step.kind)) continue
    const record = await readStepRecord(finishedFolder(runDir, step.name))
    if (record?.key === step.key) last = step
  }
  if (!last) return
  try {
    await rm(draft, { force: true })
    await symlink(join('steps', last.name, 'model'), draft)
    await rename(draft, link)
  } catch (error) {
    throw fileError(error, link)
  }
}

function isInterruption(error: unknown): boolean {
  return error instanceof SmolforgeError && error.code === 'interrupted'
}

function interrupted(step: string, saved: boolean): SmolforgeError {
  const what = saved ? `Stopped in step ${step}, its state is saved` : `Stopped before step ${step} was done`
  return new SmolforgeError('interrupted', what, {
    hint: 'Run the same command again to go on.',
  })
}

const round = (seconds: number) => Math.round(seconds * 1000) / 1000
