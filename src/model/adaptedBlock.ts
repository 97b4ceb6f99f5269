import { SmolforgeError } from '../errors.ts'
import { attention, reshape, rmsNorm, rope, swiglu, type Tensor } from '../tensor/index.ts'
import { headDim, type LlamaConfig } from './config.ts'
import { adaptedLinear, type LayerAdapters } from './lora.ts'
import type { LayerParameters } from './parameters.ts'
import { eachSequence, type TokenSequence } from './sequences.ts'

export interface AdaptedBlock {
  config: LlamaConfig
  layer: LayerParameters
  adapters: LayerAdapters
  /** What the adapters' products are multiplied by. */
  factor: number
  segments?: Tensor
  /** What lies one after the other in x[1, T]. */
  sequences?: readonly TokenSequence[]
}

/**
 * One block of a Llama with an adapter: what `Llama.hidden` does in fused operations, with every product open to a
 * change. For training and scoring: to generate, adapters are merged.
 */
export function adaptedBlock(x: Tensor, block: AdaptedBlock): Tensor {
  const { config, layer, adapters, factor, segments, sequences } = block
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, rmsNormEps, ropeTheta: theta } = config
  const project = (input: Tensor, part: keyof LayerParameters, plus?: Tensor) =>
    adaptedLinear(input, layer[part], adapters[part], factor, plus)
  if (sequences?.some(({ cache, prefix }) => cache ?? prefix)) {
    throw new SmolforgeError('usage', 'A model with an adapter beside it does not generate', {
      hint: 'Merge the adapter into its base and generate with that.',
    })
  }
  const turn = { headDim: headDim(config), theta }
  const normed = rmsNorm(x, layer.inputNorm, rmsNormEps)
  const attend = ([q, k, v]: Tensor[]) =>
    attention(rope(q, turn), rope(k, turn), v, { heads, kvHeads, segments })
  const parts = [project(normed, 'queries'), project(normed, 'keys'), project(normed, 'values')]
  const lengths = sequences?.map(({ length }) => length)
  const mixed = lengths ? eachSequence(parts, lengths, attend) : attend(parts)
  const h = project(reshape(mixed, parts[0].shape), 'output', x)
  const rows = rmsNorm(h, layer.postAttentionNorm, rmsNormEps)
  return project(swiglu(project(rows, 'gate'), project(rows, 'up')), 'down', h)
}
