import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, SmolforgeError } from '../../errors.ts'
import { ggufInFolder } from '../../files/gguf.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { fromHfConfig, type LlamaConfig } from '../config.ts'
import { parameterShapes } from '../parameters.ts'
import { openGgufModel } from './ggufWeights.ts'
import { readJson } from './json.ts'
import { openSafetensorsWeights } from './safetensorsWeights.ts'
import type { Weights } from './weights.ts'

/** An open model of whatever form: its configuration, its tokenizer, and its tensors one at a time. */
export interface Checkpoint extends Weights {
  readonly config: LlamaConfig
  tokenizer(): Promise<Tokenizer>
}

/**
 * Opens a model: a Hugging Face folder (safetensors, whole or in parts), a GGUF file, or a folder that holds one. All
 * parameters that the configuration means are there, with their shapes.
 *
 * @throws SmolforgeError `input` or `damaged` naming the file, and the field, tensor or byte.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const gguf = await ggufOf(path)
  const opened = gguf === undefined ? await openFolder(path) : await openGgufModel(gguf)
  try {
    checkShapes(opened, gguf ?? path)
  } catch (error) {
    await opened.close()
    throw error
  }
  return opened
}

/** The tensors alone, of a model that need not be one we can run. */
export async function openWeights(path: string): Promise<Weights> {
  const gguf = await ggufOf(path)
  return gguf === undefined ? openSafetensorsWeights(path) : openGgufModel(gguf)
}

async function ggufOf(path: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return path
  } catch (error) {
    throw fileError(error, path)
  }
  for (const file of ['config.json', 'model.safetensors']) {
    const found = await stat(join(path, file)).catch(() => undefined)
    if (found !== undefined) return undefined
  }
  return ggufInFolder(path)
}

async function openFolder(dir: string): Promise<Checkpoint> {
  const configFile = join(dir, 'config.json')
  const config = fromHfConfig(await readJson(configFile), configFile)
  const weights = await openSafetensorsWeights(dir)
  return { ...weights, config, tokenizer: () => Tokenizer.load(dir) }
}

function checkShapes({ config, names, entry }: Checkpoint, file: string): void {
  // First the number of layers, which comes from outside and decides how many names there are to look at.
  if (config.numHiddenLayers > names.length) {
    throw new SmolforgeError(
      'input',
      `The configuration means ${config.numHiddenLayers} layers, there are ${names.length} tensors`,
      { place: { file } },
    )
  }
  for (const [name, shape] of parameterShapes(config)) {
    const found = entry(name)
    if (`${found.shape}` !== `${shape}`) {
      throw new SmolforgeError(
        'input',
        `The tensor ${name} is [${found.shape}], the configuration means [${shape}]`,
        { place: { file: found.path } },
      )
    }
  }
}
