import { z } from 'zod'
import { SmolforgeError } from '../errors.ts'
import type { Llama } from '../model/index.ts'
import {
  type AdamwEntry,
  adamw8bitStep,
  adamwStep,
  gradientNorm,
  type MuonEntry,
  moments8bit,
  muonStep,
  type Tensor,
  zeroGrad,
  zeros,
} from '../tensor/index.ts'

const adamwFields = {
  /** Peak rate of AdamW. */
  learningRate: z.number().positive(),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.95),
  epsilon: z.number().positive().default(1e-8),
  /** On matrices alone, for both optimizers. */
  weightDecay: z.number().min(0).default(0.01),
  /** Gradients longer than this are scaled down to it. */
  clipNorm: z.number().positive().default(1),
  /** What AdamW's moments of matrices are kept in: `8bit` takes a quarter of the memory (Dettmers et al. 2022). */
  state: z.enum(['f32', '8bit']).default('f32'),
}

/**
 * `adamw` with SmolLM2's settings, or `muon` (Jordan et al. 2024): the hidden matrices by Muon at `matrixLearningRate`,
 * embeddings and norms by AdamW.
 */
export const optimizerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('adamw'), ...adamwFields }),
  z.strictObject({
    kind: z.literal('muon'),
    ...adamwFields,
    /** Peak rate of Muon. */
    matrixLearningRate: z.number().positive().default(0.02),
    momentum: z.number().min(0).lt(1).default(0.95),
    nesterov: z.boolean().default(true),
    newtonSchulzSteps: z.number().int().positive().default(5),
  }),
])

export type OptimizerConfig = z.infer<typeof optimizerSchema>
/** As a caller writes it: what has a default may be left out. */
export type OptimizerInput = z.input<typeof optimizerSchema>

/** The optimizer of one model with its moments, which belong into every checkpoint. */
export class Optimizer {
  readonly config: OptimizerConfig
  /** `adamw.m/NAME`, `adamw.v/NAME` and `muon.momentum/NAME`, shaped as the parameters; in 8 bits codes and scales. */
  readonly moments: ReadonlyMap<string, Tensor>
  readonly #parameters: readonly Tensor[]
  readonly #decayed: AdamwEntry[] = []
  readonly #undecayed: AdamwEntry[] = []
  readonly #matrices: MuonEntry[] = []

  constructor(config: OptimizerInput, llama: Llama) {
    const parsed = optimizerSchema.safeParse(config)
    if (!parsed.success) {
      throw new SmolforgeError('usage', `Not a usable optimizer: ${z.prettifyError(parsed.error)}`)
    }
    this.config = parsed.data
    this.#parameters = [...llama.trainable.values()]
    const moments = new Map<string, Tensor>()
    const moment = (kind: string, name: string, like: Tensor, make = (each: Tensor) => zeros(each.shape)) => {
      const made = make(like)
      moments.set(`${kind}/${name}`, made)
      return made
    }
    for (const [name, parameter] of llama.trainable) {
      const isMatrix = parameter.shape.length === 2
      if (this.config.kind === 'muon' && isMatrix && !isVocabulary(name)) {
        this.#matrices.push({ parameter, momentum: moment('muon.momentum', name, parameter) })
      } else {
        // Norms are few and sensitive: their moments stay whole.
        const make = isMatrix && this.config.state === '8bit' ? moments8bit : undefined
        const entry = {
          parameter,
          m: moment('adamw.m', name, parameter, make),
          v: moment('adamw.v', name, parameter, make),
        }
        ;(isMatrix ? this.#decayed : this.#undecayed).push(entry)
      }
    }
    this.moments = moments
  }

  /**
   * One update from the gradients that backward left, which are cleared: clipped to `clipNorm`, at `rate` of the peak
   * rates. `step` counts from 1. The norm before clipping is returned; when it is not finite, nothing is changed.
   */
  update(step: number, rate: number): { gradientNorm: number } {
    const { config } = this
    const norm = gradientNorm(this.#parameters)
    if (Number.isFinite(norm)) {
      const gradientScale = Math.min(1, config.clipNorm / Math.max(norm, 1e-12))
      const { learningRate, beta1, beta2, epsilon, weightDecay } = config
      const adamw = { learningRate: rate * learningRate, beta1, beta2, epsilon, step, gradientScale }
      const matrixStep = config.state === '8bit' ? adamw8bitStep : adamwStep
      matrixStep(this.#decayed, { ...adamw, weightDecay })
      adamwStep(this.#undecayed, { ...adamw, weightDecay: 0 })
      if (config.kind === 'muon') {
        const { matrixLearningRate, momentum, nesterov, newtonSchulzSteps } = config
        muonStep(this.#matrices, {
          learningRate: rate * matrixLearningRate,
          momentum,
          nesterov,
          newtonSchulzSteps,
          weightDecay,
          gradientScale,
        })
      }
    }
    zeroGrad(this.#parameters)
    return { gradientNorm: norm }
  }

  free(): void {
    for (const each of this.moments.values()) each.free()
  }
}

function isVocabulary(name: string): boolean {
  return name === 'model.embed_tokens.weight' || name === 'lm_head.weight'
}
