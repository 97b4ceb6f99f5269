import { SmolforgeError } from '../errors.ts'
import type { Tensor } from '../tensor/index.ts'
import { headDim, type LlamaConfig } from './config.ts'

/** The parameters of one block, by their part in it. */
export interface LayerParameters {
  inputNorm: Tensor
  queries: Tensor
  keys: Tensor
  values: Tensor
  output: Tensor
  postAttentionNorm: Tensor
  gate: Tensor
  up: Tensor
  down: Tensor
}

/** Every parameter of a Llama by its Hugging Face name; matrices are [out, in]. */
export function parameterShapes(config: LlamaConfig): Map<string, number[]> {
  const { vocabSize, hiddenSize, intermediateSize, numKeyValueHeads } = config
  const kvSize = numKeyValueHeads * headDim(config)
  const shapes = new Map<string, number[]>([['model.embed_tokens.weight', [vocabSize, hiddenSize]]])
  const layerShapes: Record<keyof LayerParameters, number[]> = {
    inputNorm: [hiddenSize],
    queries: [hiddenSize, hiddenSize],
    keys: [kvSize, hiddenSize],
    values: [kvSize, hiddenSize],
    output: [hiddenSize, hiddenSize],
    postAttentionNorm: [hiddenSize],
    gate: [intermediateSize, hiddenSize],
    up: [intermediateSize, hiddenSize],
    down: [hiddenSize, intermediateSize],
  }
  for (let i = 0; i < config.numHiddenLayers; i++) {
    for (const part of layerParts) shapes.set(layerName(i, part), layerShapes[part])
  }
  shapes.set('model.norm.weight', [hiddenSize])
  if (!config.tieWordEmbeddings) shapes.set('lm_head.weight', [vocabSize, hiddenSize])
  return shapes
}

/** The parameters of block `index`. */
export function layerParameters(parameters: ReadonlyMap<string, Tensor>, index: number): LayerParameters {
  const part = (name: keyof LayerParameters) => take(parameters, layerName(index, name))
  return {
    inputNorm: part('inputNorm'),
    queries: part('queries'),
    keys: part('keys'),
    values: part('values'),
    output: part('output'),
    postAttentionNorm: part('postAttentionNorm'),
    gate: part('gate'),
    up: part('up'),
    down: part('down'),
  }
}

/** The parameter of this name; SmolforgeError `usage` where there is none. */
export function take(parameters: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const found = parameters.get(name)
  if (!found) throw new SmolforgeError('usage', `The parameter ${name} is missing`)
  return found
}

const hfNames: Record<keyof LayerParameters, string> = {
  inputNorm: 'input_layernorm',
  queries: 'self_attn.q_proj',
  keys: 'self_attn.k_proj',
  values: 'self_attn.v_proj',
  output: 'self_attn.o_proj',
  postAttentionNorm: 'post_attention_layernorm',
  gate: 'mlp.gate_proj',
  up: 'mlp.up_proj',
  down: 'mlp.down_proj',
}
const layerParts = Object.keys(hfNames) as (keyof LayerParameters)[]

function layerName(index: number, part: keyof LayerParameters): string {
  return `model.layers.${index}.${hfNames[part]}.weight`
}
