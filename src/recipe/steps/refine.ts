import { join } from 'node:path'
import { z } from 'zod'
import { decideMixture, type Measurement, type MixtureState, type Pinned } from '../../mixture/index.ts'
import { readJson } from '../readJson.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind, StepWork } from '../step.ts'
import { writeJson } from './curation.ts'
import { type HeldOutLine, readHeldOutScores, readScores } from './evaluate.ts'
import { type ChosenMixture, readStageMixture } from './mixture.ts'
import { readShardSummaries } from './shards.ts'

export interface RefineConfig {
  /** The stage to come, from 2. */
  stage: number
  /** Tokens of the stages up to that one and of what comes after it. */
  nextTokens: number
  laterTokens: number
  /** Whether the learning rate falls in the stage to come. */
  decay: boolean
  bounds: Recipe['refine']
  caps: Record<string, number>
  pinned?: Pinned
}

/** Reads the evaluation of the stage before and decides the mixture of the next, with reasons and evidence. */
export const refineStep: StepKind<RefineConfig> = {
  kind: 'refine',
  version: 1,
  resumes: false,
  async run(work) {
    const state = await mixtureState(work)
    const { pinned } = work.config
    const { weights, proposal, entry } = decideMixture(state, pinned)
    const chosen: ChosenMixture = { weights, by: entry.by, reason: entry.reasons.join(' ') }
    await writeJson(work, 'mixture.json', chosen)
    await writeJson(work, 'proposal.json', proposal)
    return { metrics: weights, decisions: [entry] }
  },
}

async function mixtureState(work: StepWork<RefineConfig>): Promise<MixtureState> {
  const { stage, nextTokens, laterTokens, decay, bounds, caps } = work.config
  const before = await readStageMixture(work.inputs[`pretrain-${stage - 1}`])
  const shards = await readShardSummaries(work.inputs.shards)
  const baselines = await readBaselines(work.inputs.baselines)
  const measurements = await allMeasurements(work)
  const domains: MixtureState['domains'] = Object.fromEntries(
    shards.map(({ domain, tokens }) => [
      domain,
      {
        measurements: measurements.get(domain) ?? [],
        baseline: baselines.get(domain),
        tokensLeft: Math.max(0, tokens * caps[domain] - (before.consumed[domain]?.tokens ?? 0)),
        saved: bounds.saved.includes(domain),
      },
    ]),
  )
  return {
    stage: `stage ${stage}`,
    weights: before.weights,
    domains,
    scores: await readScores(work.inputs[`evaluate-${stage - 1}`]),
    taskDomains: { definitions: 'dictionary', arithmetic: 'maths', passages: 'prose' },
    nextTokens,
    decay,
    laterDecayTokens: decay ? 0 : laterTokens,
    bounds: { maxChange: bounds.maxChange, minWeight: bounds.minWeight },
  }
}

/** The evaluations after every stage so far, in order. */
async function allMeasurements({
  config,
  inputs,
}: StepWork<RefineConfig>): Promise<Map<string, Measurement[]>> {
  const measurements = new Map<string, Measurement[]>()
  for (let stage = 1; stage < config.stage; stage++) {
    const { tokensEnd } = await readStageMixture(inputs[`pretrain-${stage}`])
    const lines: HeldOutLine[] = await readHeldOutScores(inputs[`evaluate-${stage}`])
    for (const { domain, bitsPerByte, low, high } of lines) {
      const some = measurements.get(domain) ?? []
      measurements.set(domain, some)
      some.push({ tokens: tokensEnd, bitsPerByte, low, high })
    }
  }
  return measurements
}

const baselineSchema = z.object({ domain: z.string(), kneserNey: z.object({ bitsPerByte: z.number() }) })

async function readBaselines(folder: string): Promise<Map<string, number>> {
  const lines = await readJson(join(folder, 'baselines.json'), z.array(baselineSchema))
  return new Map(lines.map(({ domain, kneserNey }) => [domain, kneserNey.bitsPerByte]))
}
