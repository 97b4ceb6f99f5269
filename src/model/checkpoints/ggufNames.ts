import { headDim, type LlamaConfig } from '../config.ts'

/** The parts of a block by their name in Hugging Face's checkpoints and in llama.cpp's (gguf-py, constants.py). */
const blockNames = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
} as const

const otherNames = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
} as const

const ggufByHf = new Map<string, string>(Object.entries(blockNames))
const hfByGguf = new Map<string, string>(Object.entries(blockNames).map(([hf, gguf]) => [gguf, hf]))
const otherByHf = new Map<string, string>(Object.entries(otherNames))
const otherByGguf = new Map<string, string>(Object.entries(otherNames).map(([hf, gguf]) => [gguf, hf]))

/** Hugging Face's name of a tensor in a GGUF file; undefined for one that is no part of a Llama. */
export function hfName(gguf: string): string | undefined {
  const [, layer, part] = /^blk\.(0|[1-9]\d{0,5})\.([a-z_]+)\.weight$/.exec(gguf) ?? []
  if (part === undefined) return otherByGguf.get(gguf)
  const name = hfByGguf.get(part)
  return name === undefined ? undefined : `model.layers.${layer}.${name}.weight`
}

/** The name in a GGUF file of one of the parameters of a Llama. */
export function ggufName(hf: string): string {
  const [, layer, part] = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(hf) ?? []
  const name = part === undefined ? otherByHf.get(hf) : ggufByHf.get(part)
  if (name === undefined) throw new RangeError(`${hf} is no parameter of a Llama`)
  return part === undefined ? name : `blk.${layer}.${name}.weight`
}

/**
 * Rows of one head in the matrices whose rows llama.cpp has in another order, queries and keys: its rotary positions
 * turn neighbouring rows, Hugging Face's turn rows half a head apart. Undefined for all other tensors.
 */
export function headRows(hf: string, config: LlamaConfig): number | undefined {
  return /\.self_attn\.[qk]_proj\.weight$/.test(hf) ? headDim(config) : undefined
}

/** Rows of q or k from llama.cpp's order to Hugging Face's (`from` 'gguf'), or back (`from` 'hf'). */
export function reorderRows<Row extends Float32Array | Uint8Array>(
  values: Row,
  rows: number,
  headRows: number,
  from: 'gguf' | 'hf',
): Row {
  const width = values.length / rows
  const reordered = values.slice() as Row
  const half = headRows / 2
  for (let row = 0; row < rows; row++) {
    const inHead = row % headRows
    const paired = row - inHead + 2 * (inHead % half) + Math.floor(inHead / half)
    const [source, target] = from === 'gguf' ? [paired, row] : [row, paired]
    reordered.set(values.subarray(source * width, (source + 1) * width), target * width)
  }
  return reordered
}
