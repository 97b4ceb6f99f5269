import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../errors.ts'
import { modelHash } from '../model/index.ts'
import { finishedFolder, partialFolder, readStepRecord, verifyStep } from './stepFolder.ts'

const plannedSchema = z.object({
  name: z.string(),
  kind: z.string(),
  key: z.string(),
  inputs: z.array(z.string()),
})

const runSchema = z.looseObject({
  name: z.string(),
  startedAt: z.string(),
  updatedAt: z.string(),
  recipe: z.looseObject({}),
  steps: z.array(plannedSchema),
})

/** What run.json says. */
export type RunDescription = z.infer<typeof runSchema>

/** `changed`: finished for an older recipe, and to be done again; `partial`: begun. */
export type StepState = 'done' | 'partial' | 'changed' | 'todo' | 'damaged'

export interface StepStatus {
  name: string
  kind: string
  state: StepState
  seconds: number | null
  key: string
  problem?: string
}

export interface RunStatus {
  name: string
  runDir: string
  startedAt: string
  updatedAt: string
  steps: StepStatus[]
  /** Over the tensors of the last model of the run; null where there is none yet. */
  modelSha256: string | null
  /** The same for every step that made a model. */
  models: Record<string, string>
}

/**
 * Where a run stands: every step of its plan, and the hashes of its models.
 *
 * @throws SmolforgeError `input` when the folder is no run.
 */
export async function inspectRun(runDir: string): Promise<RunStatus> {
  const run = await readRun(runDir)
  const steps: StepStatus[] = []
  const models: Record<string, string> = {}
  let modelSha256: string | null = null
  for (const { name, kind, key } of run.steps) {
    const status = await stepStatus(runDir, name, kind, key)
    steps.push(status)
    if (status.state !== 'done' || !isModelKind(kind)) continue
    modelSha256 = await modelHash(join(finishedFolder(runDir, name), 'model'))
    models[name] = modelSha256
  }
  const { name, startedAt, updatedAt } = run
  return { name, runDir, startedAt, updatedAt, steps, modelSha256, models }
}

export const isModelKind = (kind: string) => kind === 'pretrain' || kind === 'sft' || kind === 'dpo'

/** run.json of a run's folder. */
export async function readRun(runDir: string): Promise<RunDescription> {
  const file = join(runDir, 'run.json')
  const text = await readFile(file, 'utf8').catch((error) => {
    const known = fileError(error, file)
    throw known instanceof SmolforgeError && known.code === 'input' ? notARun(runDir) : known
  })
  try {
    return runSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new SmolforgeError('damaged', 'run.json cannot be read', {
      place: { file },
      hint: 'Run the recipe again with --run on this folder: it is written anew, finished steps are kept.',
      cause,
    })
  }
}

/** The record of a step's folder after its checksums were compared. */
export async function inspectStep(folder: string) {
  const record = await readStepRecord(folder)
  if (!record) throw new SmolforgeError('input', 'This is no folder of a step', { place: { file: folder } })
  await verifyStep(folder, record)
  return record
}

async function stepStatus(runDir: string, name: string, kind: string, key: string): Promise<StepStatus> {
  try {
    const record = await readStepRecord(finishedFolder(runDir, name))
    if (record?.key === key) return { name, kind, state: 'done', seconds: record.seconds, key }
    const begun = await stat(partialFolder(runDir, name)).catch(() => undefined)
    const state = begun ? 'partial' : record ? 'changed' : 'todo'
    return { name, kind, state, seconds: null, key }
  } catch (error) {
    if (!(error instanceof SmolforgeError) || error.code !== 'damaged') throw error
    const problem = `${error.message}: ${error.place.file}`
    return { name, kind, state: 'damaged', seconds: null, key, problem }
  }
}

function notARun(runDir: string): SmolforgeError {
  return new SmolforgeError('input', 'There is no run in this folder', {
    place: { file: runDir },
    hint: 'Name the folder of a run, for example runs/quickstart.',
  })
}
