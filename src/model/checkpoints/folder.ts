import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic.ts'
import type { Tensor } from '../../tensor/index.ts'
import { type LlamaConfig, toHfConfig } from '../config.ts'
import { parameterShapes } from '../parameters.ts'
import { openCheckpoint } from './checkpoint.ts'
import type { FloatType } from './floats.ts'
import { writeSafetensors } from './safetensors.ts'

/** A tokenizer, as far as saving a model folder needs it. */
export interface SavesItself {
  save(dir: string): Promise<void>
  /** Both end a text, if known: for a chat tokenizer the first is `<|im_end|>`. */
  readonly eosTokenId?: number
  readonly endOfTextId?: number
}

const hfTypes = { F32: 'float32', BF16: 'bfloat16', F16: 'float16' } as const

export interface SaveOptions {
  dtype?: FloatType
  /** Ids that end a text; the tokenizer's own when left out, or 0. */
  eosTokenIds?: readonly number[]
}

/** Writes config.json, generation_config.json, model.safetensors and the tokenizer's files. */
export async function writeFolder(
  dir: string,
  config: LlamaConfig,
  parameters: ReadonlyMap<string, Tensor>,
  tokenizer?: SavesItself,
  options: SaveOptions = {},
): Promise<void> {
  const { dtype = 'F32', eosTokenIds = endsOf(tokenizer) } = options
  try {
    await mkdir(dir, { recursive: true })
  } catch (error) {
    throw fileError(error, dir)
  }
  const eos = { bos_token_id: 0, eos_token_id: eosTokenIds.length === 1 ? eosTokenIds[0] : eosTokenIds }
  await writeSafetensors(join(dir, 'model.safetensors'), writableParameters(parameters), { dtype })
  const hf = { ...toHfConfig(config, hfTypes[dtype]), ...eos }
  await writeJson(join(dir, 'config.json'), hf)
  await writeJson(join(dir, 'generation_config.json'), { _from_model_config: true, ...eos })
  await tokenizer?.save(dir)
}

/** Reads every parameter of a model of any form, one at a time; errors as of `openCheckpoint`. */
export async function readFolder(
  path: string,
  take: (name: string, shape: number[], values: Float32Array) => void,
): Promise<LlamaConfig> {
  const checkpoint = await openCheckpoint(path)
  try {
    for (const [name, shape] of parameterShapes(checkpoint.config)) {
      take(name, shape, await checkpoint.read(name))
    }
    return checkpoint.config
  } finally {
    await checkpoint.close()
  }
}

/** Parameters as the writer takes them: read out of the engine one at a time. */
export function* writableParameters(parameters: ReadonlyMap<string, Tensor>, prefix = '') {
  for (const [name, tensor] of parameters) {
    yield {
      name: prefix + name,
      shape: tensor.shape,
      read: () => tensor.read() as Float32Array,
    }
  }
}

function endsOf(tokenizer?: SavesItself): number[] {
  const known = [tokenizer?.eosTokenId, tokenizer?.endOfTextId].filter((id) => id !== undefined)
  return known.length === 0 ? [0] : [...new Set(known)]
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}
