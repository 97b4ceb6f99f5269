import { mkdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic.ts'
import type { Tensor } from '../../tensor/index.ts'
import { fromHfConfig, type LlamaConfig, toHfConfig } from '../config.ts'
import { parameterShapes } from '../parameters.ts'
import { openSafetensors, type SafetensorsFile, writeSafetensors } from './safetensors.ts'

/** A tokenizer, as far as saving a model folder needs it. */
export interface SavesItself {
  save(dir: string): Promise<void>
  /** Both end a text, if known: for a chat tokenizer the first is `<|im_end|>`. */
  readonly eosTokenId?: number
  readonly endOfTextId?: number
}

export interface SaveOptions {
  dtype?: 'F32' | 'BF16'
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
  const hf = { ...toHfConfig(config, dtype === 'BF16' ? 'bfloat16' : 'float32'), ...eos }
  await writeJson(join(dir, 'config.json'), hf)
  await writeJson(join(dir, 'generation_config.json'), { _from_model_config: true, ...eos })
  await tokenizer?.save(dir)
}

/**
 * Reads config.json, then every parameter that it means, one at a time.
 *
 * @throws SmolforgeError naming the file, and the tensor that is missing or has another shape.
 */
export async function readFolder(
  dir: string,
  take: (name: string, shape: number[], values: Float32Array) => void,
): Promise<LlamaConfig> {
  const configFile = join(dir, 'config.json')
  const config = fromHfConfig(await readJson(configFile), configFile)
  const weights = await openWeights(dir)
  try {
    for (const [name, shape] of parameterShapes(config)) {
      const found = weights.shapeOf(name)
      if (`${found}` !== `${shape}`) {
        throw new SmolforgeError('input', `The tensor ${name} is [${found}], config.json means [${shape}]`, {
          place: { file: weights.fileOf(name) },
        })
      }
      take(name, shape, await weights.read(name))
    }
  } finally {
    await weights.close()
  }
  return config
}

/** The tensors of a folder, from one file or from the parts that `model.safetensors.index.json` lists. */
export interface Weights {
  readonly names: readonly string[]
  fileOf(name: string): string
  shapeOf(name: string): number[]
  dtypeOf(name: string): string
  read(name: string): Promise<Float32Array>
  readBytes(name: string): Promise<Uint8Array>
  close(): Promise<void>
}

export async function openWeights(dir: string): Promise<Weights> {
  const single = join(dir, 'model.safetensors')
  const index = join(dir, 'model.safetensors.index.json')
  const parts = (await exists(single)) || !(await exists(index)) ? [single] : await partFiles(dir, index)
  const open: SafetensorsFile[] = []
  try {
    for (const path of parts) open.push(await openSafetensors(path))
  } catch (error) {
    for (const file of open) await file.close()
    throw error
  }
  const places = new Map(
    open.flatMap((file) => file.header.entries.map((entry) => [entry.name, { file, entry }] as const)),
  )
  const placeOf = (name: string) => {
    const place = places.get(name)
    if (place) return place
    throw new SmolforgeError('input', `The tensor ${name} is missing`, { place: { file: parts[0] } })
  }
  return {
    names: [...places.keys()],
    fileOf: (name) => placeOf(name).file.path,
    shapeOf: (name) => placeOf(name).entry.shape,
    dtypeOf: (name) => placeOf(name).entry.dtype,
    read: async (name) => placeOf(name).file.read(name),
    readBytes: async (name) => {
      const { file, entry } = placeOf(name)
      return file.readBytes(entry)
    },
    async close() {
      for (const file of open) await file.close()
    },
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

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

async function partFiles(dir: string, index: string): Promise<string[]> {
  const parsed = indexSchema.safeParse(await readJson(index))
  if (!parsed.success)
    throw new SmolforgeError('input', 'Not an index of weights', { place: { file: index } })
  const names = [...new Set(Object.values(parsed.data.weight_map))].sort()
  for (const name of names) {
    // The index comes from outside: it may name files beside it, nothing else on the disk.
    if (name !== basename(name) || !name.endsWith('.safetensors')) {
      throw new SmolforgeError('input', `The index names a part ${JSON.stringify(name)}`, {
        place: { file: index, field: 'weight_map' },
      })
    }
  }
  return names.map((name) => join(dir, name))
}

async function readJson(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw fileError(error, path)
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SmolforgeError('input', 'Not a JSON file', { place: { file: path }, cause })
  }
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
