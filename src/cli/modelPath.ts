import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Option } from 'commander'
import { fileError, SmolforgeError } from '../errors.ts'
import { isGgufName } from '../files/gguf.ts'
import { knownModelNames, LanguageModel } from '../model/index.ts'
import { nearestName } from '../recipe/index.ts'
import { configure, engineInfo, type Precision } from '../tensor/index.ts'

export interface EngineOptions {
  threads?: number
  dtype?: Precision
}

/** What `--model` may be, for the help of every command that has it. */
export const modelHelp = 'a model folder (Hugging Face), a .gguf file, or the folder of a run'

export const dtypeOption = (usual = 'f32'): Option =>
  new Option('--dtype <type>', `what matrix products compute in (default: ${usual})`).choices(['f32', 'bf16'])

/** The same with the default of `loadModelToTalk`. */
export const talkingDtypeOption = (): Option => dtypeOption('bf16 where the CPU has products of it, else f32')

/**
 * As `loadModel`, but if nothing is said in bf16 where the CPU has products of it, which is a quarter faster and more.
 * What scripts compare (`score`, `generate`, `eval`) is f32 everywhere.
 */
export async function loadModelToTalk(path: string, options: EngineOptions): Promise<LanguageModel> {
  // Where the variable is set it is the engine's default.
  if (options.dtype !== undefined || process.env.SMOLFORGE_PRECISION) return loadModel(path, options)
  const dtype = engineInfo().bf16Products ? 'bf16' : 'f32'
  return loadModel(path, { ...options, dtype })
}

/** Loads the model that a path means. */
export async function loadModel(
  path: string,
  { threads, dtype }: EngineOptions = {},
): Promise<LanguageModel> {
  // Found first: a wrong path is told before the engine is opened.
  const found = findModel(path)
  configure({ threads, precision: dtype })
  return LanguageModel.open(found)
}

/**
 * The model that a path means: a Hugging Face folder or a GGUF file itself; a folder with one GGUF file; a run or a
 * step with a `model` inside.
 *
 * @throws SmolforgeError `input` that says what there is instead.
 */
export function findModel(path: string): string {
  let isFolder: boolean
  try {
    isFolder = statSync(path).isDirectory()
  } catch (error) {
    throw absent(path, error)
  }
  if (!isFolder) return findFile(path)
  for (const folder of [path, join(path, 'model')]) {
    if (existsSync(join(folder, 'config.json'))) return folder
  }
  const ggufs = readdirSync(path).filter(isGgufName).sort()
  if (ggufs.length === 1) return join(path, ggufs[0])
  if (ggufs.length > 1) {
    throw new SmolforgeError('input', `There are ${ggufs.length} GGUF files in this folder`, {
      place: { file: path },
      hint: `Name one of them: ${ggufs.map((name) => join(path, name)).join(', ')}`,
    })
  }
  const inside = modelsIn(path)
  throw new SmolforgeError('input', 'There is no model in this folder (no config.json, no .gguf file)', {
    place: { file: path },
    hint:
      inside.length > 0
        ? `Did you mean ${inside.join(' or ')}?`
        : 'Name a model folder, a .gguf file or the folder of a run that has trained, for example runs/quickstart.',
  })
}

const FEW = 5

/** Folders in this one that are models, if they are few enough to be named. */
function modelsIn(path: string): string[] {
  const folders = entriesOf(path).map((name) => join(path, name))
  const models = folders.filter((folder) =>
    entriesOf(folder).some((name) => name === 'config.json' || name === 'model' || isGgufName(name)),
  )
  return models.length <= FEW ? models : []
}

function findFile(path: string): string {
  if (isGgufName(path)) return path
  const isOfFolder = existsSync(join(dirname(path), 'config.json'))
  throw new SmolforgeError('input', 'This file is no model: a folder or a .gguf file is one', {
    place: { file: path },
    hint: isOfFolder ? `Name its folder: ${dirname(path)}` : undefined,
  })
}

function absent(path: string, cause: unknown): unknown {
  if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) return fileError(cause, path)
  return new SmolforgeError('input', 'There is no such model', {
    place: { file: path },
    hint: advice(path),
    cause,
  })
}

/** A model of this name that is fetched or can be, or the nearest name beside where it was looked for. */
function advice(path: string): string {
  const fetched = join('models', path)
  if (existsSync(fetched)) return `Did you mean ${fetched}?`
  if (knownModelNames().includes(basename(path))) {
    return `Fetch it with: smolforge fetch model ${basename(path)}`
  }
  const around = [dirname(path), 'models', 'runs'].flatMap((folder) =>
    entriesOf(folder).map((name) => join(folder, name)),
  )
  const nearest =
    nearestName(path, around) ??
    nearestName(
      basename(path),
      around.map((name) => basename(name)),
    )
  const meant = around.find((name) => name === nearest || basename(name) === nearest)
  if (meant !== undefined) return `Did you mean ${meant}?`
  return 'Name a model folder, a .gguf file or the folder of a run; smolforge fetch model gets a real one.'
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('.'))
  } catch {
    return []
  }
}
