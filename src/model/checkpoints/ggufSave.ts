import { basename } from 'node:path'
import { SmolforgeError } from '../../errors.ts'
import { type GgufFormat, ggufFormats } from '../../files/ggufFormats.ts'
import { type WritableValue, writeGguf } from '../../files/ggufWriter.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { Tokenizer } from '../../tokenizer/index.ts'
import { headDim, type LlamaConfig } from '../config.ts'
import { parameterShapes, take } from '../parameters.ts'
import { quantize } from './floats.ts'
import { ggufName, headRows, reorderRows } from './ggufNames.ts'

/** The formats that a model can be saved in, with llama.cpp's number for a file that is mostly so (`llama_ftype`). */
const fileTypes = { F32: 0, F16: 1, BF16: 32, Q8_0: 7, Q4_0: 2, Q4_1: 3, Q4_K: 14 } as const

export type GgufDtype = keyof typeof fileTypes
export const ggufDtypes = Object.keys(fileTypes) as readonly GgufDtype[]

export interface GgufSaveOptions {
  dtype?: GgufDtype
  /** `general.name`; the file's name when left out. */
  name?: string
}

export interface SavedGguf {
  bytes: number
  sha256: string
  /** How many tensors are in which format. */
  formats: Partial<Record<GgufFormat, number>>
  /** Matrices that are in another format than asked for, as their rows are no whole blocks, with what they are in. */
  fallbacks: { name: string; format: GgufFormat }[]
}

/**
 * Writes a model and its tokenizer as one GGUF file that llama.cpp runs; whole or not at all. Norms are F32; at 4 bits
 * the embeddings are Q8_0; rows that are no multiple of 256 are Q5_0 instead of Q4_K (as llama.cpp's own converter
 * has it), rows that are no multiple of 32 are F16.
 *
 * @throws SmolforgeError `usage` for a tokenizer that does not fit the model, `storage` when the disk refuses.
 */
export async function saveGguf(
  path: string,
  llama: { readonly config: LlamaConfig; readonly parameters: ReadonlyMap<string, Tensor> },
  tokenizer: Tokenizer,
  options: GgufSaveOptions = {},
): Promise<SavedGguf> {
  const { dtype = 'F32', name = basename(path).replace(/\.gguf$/i, '') } = options
  const { config, parameters } = llama
  if (tokenizer.vocabSize > config.vocabSize) {
    throw new SmolforgeError(
      'usage',
      `The tokenizer has ${tokenizer.vocabSize} tokens, the model knows ${config.vocabSize}`,
    )
  }
  const formats: SavedGguf['formats'] = {}
  const fallbacks: SavedGguf['fallbacks'] = []
  const tensors = [...parameterShapes(config)].map(([hf, shape]) => {
    const wanted = wantedFormat(hf, shape, dtype)
    const format = storableFormat(wanted, shape)
    formats[format] = (formats[format] ?? 0) + 1
    if (format !== wanted) fallbacks.push({ name: ggufName(hf), format })
    const read = () => {
      const values = take(parameters, hf).read() as Float32Array
      const rows = headRows(hf, config)
      return quantize(format, rows === undefined ? values : reorderRows(values, shape[0], rows, 'hf'))
    }
    return { name: ggufName(hf), format, shape, read }
  })
  const metadata = new Map([...modelEntries(config, dtype, name), ...tokenizer.ggufEntries(config.vocabSize)])
  return { ...(await writeGguf(path, metadata, tensors)), formats, fallbacks }
}

function wantedFormat(hf: string, shape: readonly number[], dtype: GgufDtype): GgufFormat {
  if (shape.length === 1) return 'F32'
  const isEmbedding = hf === 'model.embed_tokens.weight' || hf === 'lm_head.weight'
  return isEmbedding && dtype.startsWith('Q4') ? 'Q8_0' : dtype
}

/** The format, or the next one whose blocks the rows are a whole number of. */
function storableFormat(wanted: GgufFormat, shape: readonly number[]): GgufFormat {
  const candidates: GgufFormat[] = wanted === 'Q4_K' ? ['Q4_K', 'Q5_0'] : [wanted]
  const width = shape.at(-1) ?? 0
  return candidates.find((format) => width % ggufFormats[format].elements === 0) ?? 'F16'
}

function modelEntries(config: LlamaConfig, dtype: GgufDtype, name: string): Map<string, WritableValue> {
  const count = (value: number): WritableValue => ({ type: 'UINT32', value })
  const number = (value: number): WritableValue => ({ type: 'FLOAT32', value })
  return new Map([
    ['general.architecture', { type: 'STRING', value: 'llama' }],
    ['general.type', { type: 'STRING', value: 'model' }],
    ['general.name', { type: 'STRING', value: name }],
    ['general.file_type', count(fileTypes[dtype])],
    ['general.quantization_version', count(2)],
    ['llama.block_count', count(config.numHiddenLayers)],
    ['llama.context_length', count(config.maxPositionEmbeddings)],
    ['llama.embedding_length', count(config.hiddenSize)],
    ['llama.feed_forward_length', count(config.intermediateSize)],
    ['llama.attention.head_count', count(config.numAttentionHeads)],
    ['llama.attention.head_count_kv', count(config.numKeyValueHeads)],
    ['llama.attention.layer_norm_rms_epsilon', number(config.rmsNormEps)],
    ['llama.rope.freq_base', number(config.ropeTheta)],
    ['llama.rope.dimension_count', count(headDim(config))],
    ['llama.vocab_size', count(config.vocabSize)],
  ])
}
