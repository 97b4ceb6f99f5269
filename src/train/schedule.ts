import { z } from 'zod'

const warmupSteps = z.number().int().nonnegative()

/**
 * The learning rate as a function of the step, as fractions of the peak that the optimizer names. `wsd` (warm-up,
 * stable, decay: SmolLM2, arXiv 2502.02737) decays linearly to 0 over the last `decayFraction` of all steps; `cosine`
 * and `linear` fall from the end of the warm-up to `finalFraction` of the peak.
 */
export const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('wsd'),
    warmupSteps,
    decayFraction: z.number().min(0).max(1).default(0.2),
  }),
  z.strictObject({
    kind: z.literal('cosine'),
    warmupSteps,
    finalFraction: z.number().min(0).max(1).default(0),
  }),
  z.strictObject({
    kind: z.literal('linear'),
    warmupSteps,
    finalFraction: z.number().min(0).max(1).default(0),
  }),
  z.strictObject({ kind: z.literal('constant'), warmupSteps: warmupSteps.default(0) }),
])

export type Schedule = z.infer<typeof scheduleSchema>

/**
 * The fraction of the peak rate, in [0, 1], for step `step` of `totalSteps` (the first step is 1). Step `warmupSteps`
 * is the first at the full rate; the last step of `wsd` is the last above 0.
 */
export function scheduleRate(schedule: Schedule, step: number, totalSteps: number): number {
  const { warmupSteps } = schedule
  if (step < warmupSteps) return step / warmupSteps
  switch (schedule.kind) {
    case 'constant':
      return 1
    case 'wsd': {
      const decaySteps = Math.round(schedule.decayFraction * totalSteps)
      const left = totalSteps + 1 - step
      return left > decaySteps ? 1 : Math.max(0, left / (decaySteps + 1))
    }
    case 'linear':
      return fall(schedule.finalFraction, 1 - progress(step, warmupSteps, totalSteps))
    case 'cosine':
      return fall(
        schedule.finalFraction,
        (1 + Math.cos(Math.PI * progress(step, warmupSteps, totalSteps))) / 2,
      )
  }
}

/** From 0 at the end of the warm-up to 1 just after the last step. */
function progress(step: number, warmupSteps: number, totalSteps: number): number {
  const span = Math.max(1, totalSteps + 1 - Math.max(1, warmupSteps))
  return Math.min(1, Math.max(0, (step - Math.max(1, warmupSteps)) / span))
}

function fall(finalFraction: number, height: number): number {
  return finalFraction + (1 - finalFraction) * height
}
