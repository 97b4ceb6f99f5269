import { SmolforgeError } from '../../errors.ts'
import { type GgufFile, GgufMetadata, openGguf } from '../../files/gguf.ts'
import type { GgufTensor } from '../../files/ggufHeader.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import type { LlamaConfig } from '../config.ts'
import { dequantize } from './floats.ts'
import { fromGgufMetadata } from './ggufConfig.ts'
import { headRows, hfName, reorderRows } from './ggufNames.ts'
import type { TensorPlace, Weights } from './weights.ts'

/** A Llama in a GGUF file: what it is, its tokenizer, its tensors by Hugging Face's names. */
export interface GgufModel extends Weights {
  readonly config: LlamaConfig
  tokenizer(): Promise<Tokenizer>
}

/**
 * Opens a GGUF file that holds a Llama.
 *
 * @throws SmolforgeError `damaged` or `input` naming file, and byte or field: another architecture, scaled RoPE, a
 * tensor that is no part of the Llamas we run.
 */
export async function openGgufModel(path: string): Promise<GgufModel> {
  const file = await openGguf(path)
  try {
    return model(file)
  } catch (error) {
    await file.close()
    throw error
  }
}

function model(file: GgufFile): GgufModel {
  const { path } = file
  const metadata = new GgufMetadata(file)
  const tensors = new Map<string, GgufTensor>()
  const config = fromGgufMetadata(metadata, file.tensors)
  for (const tensor of file.tensors) {
    const name = hfName(tensor.name)
    if (name === undefined) {
      throw new SmolforgeError(
        'input',
        `The tensor ${tensor.name} is no part of the Llamas that can be run`,
        {
          place: { file: path, byte: tensor.start },
        },
      )
    }
    tensors.set(name, tensor)
  }
  const entry = (name: string): TensorPlace => {
    const tensor = tensors.get(name)
    if (!tensor) throw new SmolforgeError('input', `The tensor ${name} is missing`, { place: { file: path } })
    const { format, shape, start, end } = tensor
    return { path, format, shape, start, end, headRows: headRows(name, config) }
  }
  return {
    config,
    tokenizer: async () => Tokenizer.fromGguf(metadata),
    names: [...tensors.keys()],
    entry,
    async read(name) {
      const place = entry(name)
      const size = place.shape.reduce((product, length) => product * length, 1)
      const values = dequantize(place.format, await file.readBytes(place), size)
      return place.headRows === undefined
        ? values
        : reorderRows(values, place.shape[0], place.headRows, 'gguf')
    },
    async readBytes(name) {
      const place = entry(name)
      return { dtype: place.format, shape: place.shape, bytes: await file.readBytes(place) }
    },
    close: () => file.close(),
  }
}
