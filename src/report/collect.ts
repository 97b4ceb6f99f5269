import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CURATION_STEPS } from '../curate/index.ts'
import { fileError, SmolforgeError } from '../errors.ts'
import { joinCurves, medianSpeed, thinCurve } from './curve.ts'
import {
  ablationSchema,
  baselineSchema,
  damageSchema,
  funnelSchema,
  heldOutPointSchema,
  heldOutScoreSchema,
  ledgerEntrySchema,
  type ReportEvaluation,
  type ReportFunnel,
  type ReportStep,
  type RunReport,
  sampleSchema,
  scoreSchema,
  stageSchema,
  trainingPointSchema,
} from './data.ts'
import { modelFacts } from './model.ts'
import { RunReader } from './reading.ts'
import { collectSources } from './sources.ts'
import { summarize } from './summary.ts'

const NEEDED_STEPS = ['read', 'tokenizer', 'shards', 'pretrain-1', 'evaluate-base']

const runSchema = z.looseObject({
  name: z.string(),
  recipe: z.looseObject({}).optional(),
  recipeFile: z.string().optional(),
  startedAt: z.string().optional(),
  versions: z.record(z.string(), z.unknown()).optional(),
  machine: z.record(z.string(), z.unknown()).optional(),
  /** The plan: what there is to be once the run is finished. */
  steps: z.array(z.looseObject({ name: z.string() })).optional(),
})

const stepFileSchema = z.looseObject({
  name: z.string(),
  kind: z.string(),
  key: z.string().optional(),
  state: z.string().default('done'),
  startedAt: z.string().optional(),
  seconds: z.number(),
  counts: z.record(z.string(), z.number()).default({}),
  bytes: z.number().optional(),
  metrics: z.record(z.string(), z.number()).default({}),
  warnings: z.array(z.string()).default([]),
})

/**
 * Reads a run's folder into one object. Steps that are not there yet are named in `missing`, files that cannot be
 * understood in `warnings`; only a folder that is no run at all is an error.
 *
 * @throws SmolforgeError `input` when there is no readable `run.json` in the folder.
 */
export async function collectReport(runDir: string): Promise<RunReport> {
  const reader = new RunReader(runDir)
  const run = await reader.json('run.json', runSchema)
  if (run === undefined) {
    throw new SmolforgeError('input', reader.problems[0]?.message ?? 'There is no run in this folder', {
      place: { file: join(runDir, 'run.json') },
      hint: 'Name the folder of a run, for example runs/quickstart.',
    })
  }
  const planned = run.steps?.map((step) => step.name).filter((name) => name !== 'report')
  // A folder of a step that the recipe no longer has is no part of this run.
  const there = (await stepNames(runDir)).filter((name) => planned?.includes(name) ?? true)
  const steps = await readSteps(reader, there)
  const done = new Set(steps.map((step) => step.name))
  const funnel = await readFunnel(reader)
  const training = await readTraining(reader, steps)
  const recipeText = await reader.text('recipe.yaml')
  const evaluations = await readEvaluations(reader, steps)
  const missing = (planned ?? NEEDED_STEPS).filter((name) => !done.has(name))
  const report: Omit<RunReport, 'summary'> = {
    format: 'smolforge-report',
    version: 1,
    name: run.name,
    madeAt: new Date().toISOString(),
    startedAt: run.startedAt,
    recipeFile: run.recipeFile,
    recipeText,
    finished: missing.length === 0,
    missing,
    totalSeconds: steps.reduce((sum, step) => sum + step.seconds, 0),
    versions: printable(run.versions, String),
    machine: printable(run.machine, (value) => (typeof value === 'number' ? value : String(value))),
    steps,
    sources: collectSources(run.recipe, funnel),
    funnel,
    damage: (await reader.json('steps/read/damage.json', z.array(damageSchema))) ?? [],
    tokenizer: await readTokenizer(reader),
    shards: (await reader.json('steps/shards/shards.json', z.array(shardSchema))) ?? [],
    model: await modelFacts(reader),
    ...training,
    ledger: await reader.jsonLines('ledger.jsonl', ledgerEntrySchema),
    baselines: (await reader.json('steps/baselines/baselines.json', z.array(baselineSchema))) ?? [],
    evaluations,
    ablation: await reader.json('steps/ablate/ablation.json', ablationSchema),
    warnings: [],
  }
  report.warnings = [
    ...steps.flatMap((step) => step.warnings.map((message) => ({ step: step.name, message }))),
    ...reader.problems,
  ]
  return { ...report, summary: summarize(report) }
}

const shardSchema = z.object({ domain: z.string(), tokens: z.number(), documents: z.number() })

async function stepNames(runDir: string): Promise<string[]> {
  try {
    const entries = await readdir(join(runDir, 'steps'), { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.endsWith('.partial'))
      .map((entry) => entry.name)
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return []
    throw fileError(error, join(runDir, 'steps'))
  }
}

async function readSteps(reader: RunReader, names: readonly string[]): Promise<ReportStep[]> {
  const steps: ReportStep[] = []
  for (const name of names) {
    if (name === 'report') continue
    const step = await reader.json(`steps/${name}/step.json`, stepFileSchema)
    if (step === undefined) continue
    const { kind, key, state, startedAt, seconds, counts, bytes, metrics, warnings } = step
    steps.push({ name, kind, key, state, startedAt, seconds, counts, bytes, metrics, warnings })
  }
  return steps.sort((a, b) => (a.startedAt ?? '').localeCompare(b.startedAt ?? ''))
}

async function readFunnel(reader: RunReader): Promise<ReportFunnel[]> {
  const funnel: ReportFunnel[] = []
  for (const name of CURATION_STEPS) {
    const part = await reader.json(
      `steps/${name}/funnel.json`,
      z.union([funnelSchema, z.array(funnelSchema)]),
    )
    if (part === undefined) continue
    for (const one of Array.isArray(part) ? part : [part]) funnel.push(withShortExamples(one))
  }
  return funnel
}

/** A page shows a few lines of a dropped document; what a source put there must not make the report large. */
function withShortExamples(funnel: ReportFunnel): ReportFunnel {
  const dropped = Object.entries(funnel.dropped).map(([rule, drop]) => {
    const examples = drop.examples
      .slice(0, 5)
      .map((example) => ({ ...example, excerpt: example.excerpt.slice(0, 400) }))
    return [rule, { ...drop, examples }] as const
  })
  return { ...funnel, dropped: Object.fromEntries(dropped) }
}

async function readTokenizer(reader: RunReader): Promise<RunReport['tokenizer']> {
  const stats = await reader.json(
    'steps/tokenizer/stats.json',
    z.looseObject({
      vocabSize: z.number(),
      bytesPerToken: z.union([z.number(), z.record(z.string(), z.number())]),
    }),
  )
  if (stats === undefined) return undefined
  const { vocabSize, bytesPerToken } = stats
  return {
    vocabSize,
    bytesPerToken: typeof bytesPerToken === 'number' ? { all: bytesPerToken } : bytesPerToken,
  }
}

async function readTraining(
  reader: RunReader,
  steps: ReportStep[],
): Promise<Pick<RunReport, 'tokensTrained' | 'stages' | 'pretraining' | 'sft' | 'dpo'>> {
  const readCurve = async (step: ReportStep) => {
    const points = await reader.jsonLines(`steps/${step.name}/metrics.jsonl`, trainingPointSchema)
    const heldOut = await reader.jsonLines(`steps/${step.name}/heldout.jsonl`, heldOutPointSchema)
    step.tokensPerSecond = step.metrics.tokensPerSecond ?? medianSpeed(points)
    return thinCurve(points, heldOut)
  }
  const stages: RunReport['stages'] = []
  const curves: { curve: RunReport['pretraining']; tokensStart?: number }[] = []
  const pretraining = steps.filter((step) => /^pretrain-\d+$/.test(step.name))
  for (const step of pretraining.sort((a, b) => stageOf(a) - stageOf(b))) {
    const mixture = await reader.json(
      `steps/${step.name}/mixture.json`,
      stageSchema.extend({ stage: z.unknown() }),
    )
    if (mixture !== undefined) stages.push({ ...mixture, stage: stageOf(step) })
    curves.push({ curve: await readCurve(step), tokensStart: mixture?.tokensStart })
  }
  const joined = joinCurves(curves)
  const curveOf = async (name: string) => {
    const step = steps.find((one) => one.name === name)
    return step === undefined ? undefined : await readCurve(step)
  }
  return {
    tokensTrained: stages.at(-1)?.tokensEnd ?? joined.points.at(-1)?.tokens ?? 0,
    stages,
    pretraining: joined,
    sft: await curveOf('sft'),
    dpo: await curveOf('dpo'),
  }
}

const stageOf = (step: ReportStep) => Number(step.name.slice('pretrain-'.length))

async function readEvaluations(reader: RunReader, steps: readonly ReportStep[]): Promise<ReportEvaluation[]> {
  const evaluations: ReportEvaluation[] = []
  for (const { name } of steps) {
    if (!name.startsWith('evaluate-')) continue
    const file = (part: string) => `steps/${name}/${part}.json`
    evaluations.push({
      step: name,
      label: evaluationLabel(name.slice('evaluate-'.length)),
      scores: (await reader.json(file('scores'), z.array(scoreSchema))) ?? [],
      heldOut: (await reader.json(file('heldout'), z.array(heldOutScoreSchema))) ?? [],
      samples: (await reader.json(file('samples'), z.array(sampleSchema))) ?? [],
    })
  }
  const order = (evaluation: ReportEvaluation) =>
    ['base', 'SFT', 'DPO'].indexOf(evaluation.label) * 1000 + Number(/\d+/.exec(evaluation.label)?.[0] ?? 0)
  return evaluations.sort((a, b) => order(a) - order(b))
}

function evaluationLabel(name: string): string {
  if (/^\d+$/.test(name)) return `stage ${name}`
  return name === 'sft' || name === 'dpo' ? name.toUpperCase() : name
}

function printable<T>(record: Record<string, unknown> | undefined, print: (value: unknown) => T) {
  const entries = Object.entries(record ?? {}).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(entries.map(([key, value]) => [key, print(value)]))
}
