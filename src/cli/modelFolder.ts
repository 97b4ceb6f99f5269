import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { SmolforgeError } from '../errors.ts'
import { LanguageModel } from '../model/index.ts'
import { configure } from '../tensor/index.ts'

/** The model folder that a path means: a Hugging Face folder itself, a run or a step with a `model` inside. */
export function findModelFolder(path: string): string {
  for (const folder of [path, join(path, 'model')]) {
    if (existsSync(join(folder, 'config.json'))) return folder
  }
  throw new SmolforgeError('input', 'There is no model in this folder (no config.json)', {
    place: { file: path },
    hint: 'Name a model folder or the folder of a run that has trained, for example runs/quickstart.',
  })
}

/** Loads the model that a path means. */
export async function loadModel(path: string, threads?: number): Promise<LanguageModel> {
  if (threads !== undefined) configure({ threads })
  return LanguageModel.open(findModelFolder(path))
}
