import { z } from 'zod'
import { SmolforgeError } from '../errors.ts'
import { Random } from '../random/random.ts'
import {
  configure,
  engineInfo,
  inference,
  linear,
  matmul,
  parameter,
  scale,
  type Tensor,
} from '../tensor/index.ts'
import type { LlamaConfig } from './config.ts'
import { type LayerParameters, parameterShapes, take } from './parameters.ts'

/** The matrices of a block that can be adapted, by the names of Hugging Face, with their part in the block. */
const parts = {
  q_proj: 'queries',
  k_proj: 'keys',
  v_proj: 'values',
  o_proj: 'output',
  gate_proj: 'gate',
  up_proj: 'up',
  down_proj: 'down',
} as const satisfies Record<string, keyof LayerParameters>

export type LoraTarget = keyof typeof parts
export const loraTargets = Object.keys(parts) as LoraTarget[]

export const loraSchema = z.strictObject({
  rank: z.int().positive().default(16).describe('Columns of B and rows of A: what the change is made of.'),
  alpha: z.number().positive().default(32).describe('The change is scaled by alpha / rank.'),
  targets: z
    .array(z.enum(loraTargets as [LoraTarget, ...LoraTarget[]]))
    .min(1)
    .default(loraTargets)
    .describe('Matrices of each block that are adapted; all if not given.'),
})

export type LoraConfig = z.infer<typeof loraSchema>
export type LoraInput = z.input<typeof loraSchema>

/** A [rank, in] and B [out, rank] beside a weight [out, in]. */
interface LowRank {
  a: Tensor
  b: Tensor
}

/** What is adapted in one block. */
export type LayerAdapters = Partial<Record<keyof LayerParameters, LowRank>>

/**
 * Low-rank adaptation (Hu et al. 2021): beside chosen weights W a product B A is learned, x Wᵀ + alpha / rank x Aᵀ Bᵀ,
 * while W stays. Its parameters are named as PEFT's, without the prefix `base_model.model.`.
 */
export class LoraAdapter {
  readonly config: LoraConfig
  readonly parameters: ReadonlyMap<string, Tensor>
  /** By block. */
  readonly layers: readonly LayerAdapters[]

  /** Of parameters `PATH.lora_A.weight` and `PATH.lora_B.weight`, in pairs, for the blocks of such a model. */
  constructor(model: LlamaConfig, config: LoraConfig, parameters: ReadonlyMap<string, Tensor>) {
    this.config = config
    this.parameters = parameters
    this.layers = Array.from({ length: model.numHiddenLayers }, (_, layer) => {
      const adapters: LayerAdapters = {}
      for (const target of loraTargets) {
        const a = parameters.get(loraName(modulePath(layer, target), 'A'))
        const b = parameters.get(loraName(modulePath(layer, target), 'B'))
        if (a && b) adapters[parts[target]] = { a, b }
      }
      return adapters
    })
  }

  /** A new adapter, which changes nothing yet: A uniform as `torch.nn.Linear` begins, B zero. */
  static create(model: LlamaConfig, input: LoraInput, seed: number): LoraAdapter {
    const config = loraSchema.parse(input)
    const random = Random.derive(seed, 'lora')
    const parameters = new Map<string, Tensor>()
    for (const { path, rows, columns } of adaptable(model, config.targets)) {
      const bound = 1 / Math.sqrt(columns)
      const a = Float32Array.from({ length: config.rank * columns }, () => bound * (2 * random.float() - 1))
      parameters.set(loraName(path, 'A'), parameter(a, [config.rank, columns]))
      parameters.set(
        loraName(path, 'B'),
        parameter(new Float32Array(rows * config.rank), [rows, config.rank]),
      )
    }
    return new LoraAdapter(model, config, parameters)
  }

  /** What B A is multiplied by. */
  get scale(): number {
    return this.config.alpha / this.config.rank
  }

  free(): void {
    for (const each of this.parameters.values()) each.free()
  }
}

/** Adds the adapter's change to the weights of `base` themselves, in f32. The adapter is not needed any more then. */
export function mergeAdapter(
  base: { config: LlamaConfig; parameters: ReadonlyMap<string, Tensor> },
  adapter: LoraAdapter,
): void {
  const { precision } = engineInfo()
  configure({ precision: 'f32' })
  try {
    for (const { path } of adaptable(base.config, loraTargets)) {
      const a = adapter.parameters.get(loraName(path, 'A'))
      const b = adapter.parameters.get(loraName(path, 'B'))
      if (!a || !b) continue
      const weight = take(base.parameters, `${path}.weight`)
      const change = inference(() => scale(matmul(b, a), adapter.scale).read())
      weight.write((weight.read() as Float32Array).map((value, i) => value + change[i]))
    }
  } finally {
    configure({ precision })
  }
}

/**
 * x[.., in] times the transpose of weight[out, in], as `adapter` changes it by `factor` B A; `plus` [.., out] is added on
 * the way.
 */
export function adaptedLinear(
  x: Tensor,
  weight: Tensor,
  adapter: LowRank | undefined,
  factor: number,
  plus?: Tensor,
): Tensor {
  const y = linear(x, weight, { plus })
  if (adapter === undefined) return y
  const adapted = linear(scale(linear(x, adapter.a), factor), adapter.b, { plus: y })
  // Backward needs its gradient and not what is in it.
  y.free()
  return adapted
}

/** The module paths of a model's matrices for these targets, with their sizes [rows, columns]. */
export function adaptable(
  model: LlamaConfig,
  targets: readonly LoraTarget[],
): { path: string; rows: number; columns: number }[] {
  const shapes = parameterShapes(model)
  return Array.from({ length: model.numHiddenLayers }, (_, layer) =>
    targets.map((target) => {
      const path = modulePath(layer, target)
      const shape = shapes.get(`${path}.weight`)
      if (shape === undefined) throw new SmolforgeError('internal', `There is no matrix ${path}`)
      return { path, rows: shape[0], columns: shape[1] }
    }),
  ).flat()
}

/** `model.layers.0.self_attn.q_proj.lora_A.weight`, as PEFT names it after its prefix. */
export function loraName(path: string, matrix: 'A' | 'B'): string {
  return `${path}.lora_${matrix}.weight`
}

function modulePath(layer: number, target: LoraTarget): string {
  const block = ['gate_proj', 'up_proj', 'down_proj'].includes(target) ? 'mlp' : 'self_attn'
  return `model.layers.${layer}.${block}.${target}`
}
