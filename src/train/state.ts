import { z } from 'zod'

const engineSchema = z.strictObject({ isa: z.string(), threads: z.number(), precision: z.string() })

/**
 * All that a bit-exact resume needs besides the tensors (parameters and moments): where training stands, where its
 * batches come from, and under which settings the bits were made.
 */
export const trainStateSchema = z.strictObject({
  kind: z.enum(['pretrain', 'sft', 'dpo']),
  /** Optimizer steps done, counted over the whole schedule. */
  step: z.number().int().nonnegative(),
  tokens: z.number().nonnegative(),
  /** Time spent in training, interruptions not counted. */
  elapsedMs: z.number().nonnegative(),
  loss: z.number().nullable(),
  /** SHA-256 of the configuration that the run was given. */
  config: z.string(),
  engine: engineSchema,
  /** Steps after which the engine's settings changed: from there the bits may differ from an undisturbed run. */
  engineChanges: z.array(z.strictObject({ step: z.number(), from: engineSchema, to: engineSchema })),
  /** The position of the data: of the mixture's sampler, or of the epochs. */
  data: z.unknown(),
})

export type TrainState = z.infer<typeof trainStateSchema>
