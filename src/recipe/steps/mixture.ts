import { join } from 'node:path'
import { z } from 'zod'
import type { Weights } from '../../mixture/index.ts'
import { packings } from '../../shards/index.ts'
import { readJson } from '../readJson.ts'
import type { Recipe } from '../schema.ts'

const weightsSchema = z.record(z.string(), z.number())

const stageMixtureSchema = z.object({
  stage: z.number(),
  name: z.string().optional(),
  weights: weightsSchema,
  /** Optimizer steps and tokens of the whole run before and after the stage. */
  stepsStart: z.number(),
  stepsEnd: z.number(),
  tokensStart: z.number(),
  tokensEnd: z.number(),
  reason: z.string(),
  by: z.enum(['rule', 'person']),
  /** What each domain has given since the start of the run. */
  consumed: z.record(z.string(), z.object({ tokens: z.number(), epochs: z.number() })),
  /** How documents were laid into the stage's rows. */
  rows: z
    .object({
      packing: z.enum(packings),
      places: z.number(),
      padding: z.number(),
      continued: z.number(),
    })
    .optional(),
})

/** mixture.json of a stage: what was trained on, who decided it, and what it used up. */
export type StageMixture = z.infer<typeof stageMixtureSchema>

export async function readStageMixture(folder: string): Promise<StageMixture> {
  return readJson(join(folder, 'mixture.json'), stageMixtureSchema)
}

const chosenSchema = z.object({ weights: weightsSchema, by: z.enum(['rule', 'person']), reason: z.string() })

/** mixture.json of a refinement: the weights of the next stage. */
export type ChosenMixture = z.infer<typeof chosenSchema>

export async function readChosenMixture(folder: string): Promise<ChosenMixture> {
  return readJson(join(folder, 'mixture.json'), chosenSchema)
}

/** The first stage's weights, which only a person can give. */
export function givenMixture(stage: Recipe['stages'][number]): ChosenMixture {
  const weights = stage.mixture === 'refine' ? {} : stage.mixture
  return { weights: scaled(weights), by: 'person', reason: stage.reason ?? 'Given in the recipe.' }
}

/**
 * Weights of the domains that there are tokens of, scaled to sum to 1; a domain of the recipe that curation left
 * nothing of is named in a warning.
 */
export function weightsOver(
  weights: Weights,
  domains: readonly string[],
): { weights: Weights; warnings: string[] } {
  const missing = Object.keys(weights).filter((name) => weights[name] > 0 && !domains.includes(name))
  const kept = Object.fromEntries(domains.map((name) => [name, weights[name] ?? 0]))
  return {
    weights: scaled(kept),
    warnings: missing.map((name) => `curation left no text of ${name}: its weight went to the others`),
  }
}

function scaled(weights: Weights): Weights {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  if (total === 0) return weights
  return Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, weight / total]))
}
