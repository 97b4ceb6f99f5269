import { readFile, rm, symlink } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { fileError, SmolforgeError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic.ts'
import { nearestName } from '../nearest.ts'
import { type RunOptions, type RunOutcome, runSteps } from '../run.ts'
import type { RunPlaces, Step } from '../step.ts'
import { finishedFolder } from '../stepFolder.ts'
import { DATA_SET, type PipelineFunnel } from '../steps/dataSet.ts'
import { fineMath } from './fineMath.ts'
import { fineWebEdu } from './fineWebEdu.ts'
import { type Pipeline, type PipelineOptions, planPipeline } from './pipeline.ts'
import { stackEdu } from './stackEdu.ts'

const pipelines: readonly Pipeline[] = [fineWebEdu, fineMath, stackEdu]

export const pipelineNames: readonly string[] = pipelines.map(({ name }) => name)

export interface PipelineRunOptions extends Pick<RunOptions, 'stop' | 'onEvent' | 'thread'> {
  /** The folder of the run: steps/, and at the end dataset/, README.md and funnel.json. */
  output: string
  threads?: number
  cacheDir?: string
}

/**
 * Runs a named pipeline on local input. Killed anywhere, the same call goes on with the steps that are missing; steps
 * whose options or files changed are done again.
 *
 * @throws SmolforgeError `usage` for an unknown name, `input` for what cannot be read, `interrupted` on a stop.
 */
export async function runPipeline(
  name: string,
  options: PipelineOptions,
  run: PipelineRunOptions,
): Promise<RunOutcome & { funnel: PipelineFunnel }> {
  const pipeline = pipelines.find((one) => one.name === name)
  if (pipeline === undefined) {
    const nearest = nearestName(name, pipelineNames)
    throw new SmolforgeError('usage', `There is no pipeline ${name}`, {
      hint: nearest ? `Did you mean ${nearest}?` : `There are: ${pipelineNames.join(', ')}`,
    })
  }
  const steps = await planPipeline(pipeline, options)
  const runDir = resolve(run.output)
  const places: RunPlaces = {
    runDir,
    baseDir: resolve('.'),
    cacheDir: resolve(run.cacheDir ?? '.cache'),
    threads: run.threads ?? 0,
  }
  const outcome = await runSteps(steps, places, {
    ...run,
    begin: () => describeRun(name, options, steps, places),
    end: () => showDataSet(runDir),
  })
  const text = await readFile(join(runDir, 'funnel.json'), 'utf8')
  return { ...outcome, funnel: JSON.parse(text) as PipelineFunnel }
}

/** run.json: what was asked for, and when; `smolforge inspect` reads it. */
async function describeRun(
  pipeline: string,
  options: PipelineOptions,
  steps: readonly Step[],
  { runDir, threads }: RunPlaces,
): Promise<void> {
  const path = join(runDir, 'run.json')
  const before: unknown = await readFile(path, 'utf8')
    .then(JSON.parse)
    .catch(() => undefined)
  const now = new Date().toISOString()
  const description = {
    name: options.name,
    recipe: { pipeline, ...options },
    startedAt: (before as { startedAt?: string } | undefined)?.startedAt ?? now,
    updatedAt: now,
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, threads },
    steps: steps.map(({ name, kind, key, inputs }) => ({ name, kind, key, inputs })),
  }
  await writeFileAtomic(path, `${JSON.stringify(description, null, 2)}\n`)
}

/** dataset, README.md and funnel.json where a person looks first. */
async function showDataSet(runDir: string): Promise<void> {
  const folder = finishedFolder(runDir, 'data-set')
  const link = join(runDir, DATA_SET)
  try {
    await rm(link, { force: true })
    await symlink(join('steps', 'data-set', DATA_SET), link)
    await writeFileAtomic(join(runDir, 'README.md'), await readFile(join(folder, DATA_SET, 'README.md')))
    await writeFileAtomic(join(runDir, 'funnel.json'), await readFile(join(folder, 'funnel.json')))
  } catch (error) {
    throw fileError(error, runDir)
  }
}
