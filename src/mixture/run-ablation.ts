import { SmolforgeError } from '../errors.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../progress/progress.ts'
import type { Ablation, AblationArm, AblationRun, ArmResult } from './ablation.ts'
import { conclude } from './conclude.ts'
import { differences } from './differences.ts'
import type { Weights } from './evidence.ts'
import { normalised } from './propose.ts'

export interface AblationOptions {
  candidate: string
  /** Share of the candidate in its arm; the rest is the current mixture. */
  share: number
  mixture: Weights
  tokens: number
  seeds: readonly number[]
  onProgress?: Progress
  stop?: StopSignal
}

/**
 * An annealing ablation as SmolLM2 does it for maths and code: from one checkpoint each arm decays the learning rate
 * to 0 over `tokens`, the control on the current mixture, the other with `share` of the candidate. `trainArm` starts
 * from the checkpoint and gives the trained model, `evaluateArm` its held-out losses by document and its scores.
 * Arms of a seed see the same order of documents and are compared by a paired bootstrap over seeds and documents.
 *
 * @throws SmolforgeError `usage` for an unknown candidate or no seed, `interrupted` when stopped between arms.
 */
export async function runAblation<Model>(
  options: AblationOptions,
  trainArm: (arm: AblationArm, seed: number, tokens: number) => Promise<Model>,
  evaluateArm: (model: Model, arm: AblationArm, seed: number) => Promise<ArmResult>,
): Promise<Ablation> {
  const { candidate, share, tokens, seeds, stop = neverStop, onProgress = noProgress } = options
  const mixture = normalised(options.mixture)
  if (!(candidate in mixture)) {
    throw new SmolforgeError('usage', `The candidate ${candidate} is no domain of the mixture`, {
      hint: `There are: ${Object.keys(mixture).join(', ')}.`,
    })
  }
  if (seeds.length === 0) throw new SmolforgeError('usage', 'An ablation needs at least one seed')
  const arms: AblationArm[] = [
    { name: 'control', weights: mixture },
    { name: 'candidate', weights: withCandidate(mixture, candidate, share) },
  ]
  const runs: AblationRun[] = []
  for (const seed of seeds) {
    for (const arm of arms) {
      if (stop.stopped) throw new SmolforgeError('interrupted', 'The ablation was stopped')
      onProgress({
        done: runs.length,
        total: arms.length * seeds.length,
        unit: 'items',
        message: `${arm.name}, seed ${seed}`,
      })
      const model = await trainArm(arm, seed, tokens)
      runs.push({ arm: arm.name, seed, ...(await evaluateArm(model, arm, seed)) })
    }
  }
  return summariseAblation({ candidate, share, tokens, arms, seeds: [...seeds] }, runs)
}

/** The differences and the conclusion of runs that are done: of every seed one run of each arm. */
export function summariseAblation(
  plan: Pick<Ablation, 'candidate' | 'share' | 'tokens' | 'arms' | 'seeds'>,
  runs: readonly AblationRun[],
): Ablation {
  const measured = differences(runs, plan.seeds)
  return {
    ...plan,
    runs: runs.map(({ arm, seed, heldOut, scores = [] }) => ({
      arm,
      seed,
      scores: [
        ...heldOut.map(({ domain, bitsPerByte }) => ({
          measure: 'bits per byte',
          subject: domain,
          value: bitsPerByte,
        })),
        ...scores.map(({ metric, task, value }) => ({ measure: metric, subject: task, value })),
      ],
    })),
    differences: measured,
    ...conclude(plan, measured),
  }
}

/** `share` of the candidate, the rest in the proportions of the current mixture (which may hold it too). */
function withCandidate(mixture: Weights, candidate: string, share: number): Weights {
  return Object.fromEntries(
    Object.entries(mixture).map(([name, weight]) => [
      name,
      (1 - share) * weight + (name === candidate ? share : 0),
    ]),
  )
}
