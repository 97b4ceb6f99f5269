import { attention, rmsNorm, rope, swiglu, type Tensor } from '../tensor/index.ts'
import type { KeyValueCache } from './cache.ts'
import { headDim, type LlamaConfig } from './config.ts'
import { adaptedLinear, type LayerAdapters } from './lora.ts'
import type { LayerParameters } from './parameters.ts'

export interface AdaptedBlock {
  config: LlamaConfig
  layer: LayerParameters
  adapters: LayerAdapters
  /** What the adapters' products are multiplied by. */
  factor: number
  /** Of the block in the model. */
  index: number
  segments?: Tensor
  cache?: KeyValueCache
}

/** One block of a Llama with an adapter: what `Llama.hidden` does, with every product open to a change. */
export function adaptedBlock(x: Tensor, block: AdaptedBlock): Tensor {
  const { config, layer, adapters, factor, index, segments, cache } = block
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, rmsNormEps, ropeTheta: theta } = config
  const project = (input: Tensor, part: keyof LayerParameters, plus?: Tensor) =>
    adaptedLinear(input, layer[part], adapters[part], factor, plus)
  const turn = { headDim: headDim(config), theta, start: cache?.length ?? 0 }
  const normed = rmsNorm(x, layer.inputNorm, rmsNormEps)
  const q = rope(project(normed, 'queries'), turn)
  const k = rope(project(normed, 'keys'), turn)
  const v = project(normed, 'values')
  const seen = cache?.write(index, k, v)
  const mixed = seen
    ? attention(q, seen.keys, seen.values, { heads, kvHeads, keyLength: seen.keyLength })
    : attention(q, k, v, { heads, kvHeads, segments })
  const h = project(mixed, 'output', x)
  const rows = rmsNorm(h, layer.postAttentionNorm, rmsNormEps)
  return project(swiglu(project(rows, 'gate'), project(rows, 'up')), 'down', h)
}
