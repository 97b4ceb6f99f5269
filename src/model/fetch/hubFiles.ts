import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'
import type { HubFile } from '../../network/hub.ts'

const REQUIRED = ['config.json', 'tokenizer.json']
const OPTIONAL = [
  'generation_config.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json',
  'LICENSE',
]
const WEIGHTS = 'model.safetensors'
export const WEIGHTS_INDEX = 'model.safetensors.index.json'

/**
 * Which files of a listing make the model: the one that is asked for; or configuration, tokenizer and safetensors; or,
 * where a repository has no safetensors, its only GGUF. Of sharded weights only the index: it says which parts follow.
 *
 * @throws SmolforgeError `input` for a repository that has no such files, naming those that it has.
 */
export function chooseFiles(files: readonly HubFile[], model: string, wanted?: string): HubFile[] {
  const byPath = new Map(files.filter(({ path }) => isPlainPath(path)).map((file) => [file.path, file]))
  const ggufs = [...byPath.keys()].filter((path) => path.endsWith('.gguf')).sort()
  if (wanted !== undefined) {
    const file = byPath.get(wanted)
    if (file !== undefined && wanted.endsWith('.gguf')) return [file]
    throw new SmolforgeError('input', `${model} has no GGUF file ${wanted}`, { hint: listed(ggufs) })
  }
  const weights = byPath.get(WEIGHTS) ?? byPath.get(WEIGHTS_INDEX)
  if (weights === undefined) {
    const [only, ...more] = ggufs.map((path) => byPath.get(path))
    if (only !== undefined && more.length === 0) return [only]
    if (only !== undefined) {
      throw new SmolforgeError('input', `${model} has several GGUF files: choose one with --file`, {
        hint: listed(ggufs),
      })
    }
    throw new SmolforgeError('input', `${model} has neither safetensors nor GGUF files`, {
      hint: 'Weights in other forms (pytorch_model.bin) run code when they are loaded and are not read.',
    })
  }
  const missing = REQUIRED.filter((path) => !byPath.has(path))
  if (missing.length > 0) {
    throw new SmolforgeError('input', `${model} has no ${missing.join(' and no ')}`, {
      hint: ggufs.length > 0 ? `Its GGUF files have all in one: ${listed(ggufs)}` : undefined,
    })
  }
  return [...REQUIRED, ...OPTIONAL, weights.path].flatMap((path) => byPath.get(path) ?? [])
}

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })

/** The parts that a downloaded index of weights names, all of which must be in the listing. */
export async function chooseParts(files: readonly HubFile[], indexFile: string): Promise<HubFile[]> {
  let json: unknown
  try {
    json = JSON.parse(await readFile(indexFile, 'utf8'))
  } catch (cause) {
    throw new SmolforgeError('input', 'The index of the weights is no JSON', {
      place: { file: indexFile },
      cause,
    })
  }
  const parsed = indexSchema.safeParse(json)
  const names = parsed.success ? [...new Set(Object.values(parsed.data.weight_map))].sort() : []
  if (names.length === 0) {
    throw new SmolforgeError('input', 'Not an index of weights', { place: { file: indexFile } })
  }
  return names.map((name) => {
    const file = files.find(({ path }) => path === name)
    if (file && name === basename(name) && name.endsWith('.safetensors') && isPlainPath(name)) return file
    throw new SmolforgeError('input', `The index of the weights names a part ${JSON.stringify(name)}`, {
      place: { file: indexFile, field: 'weight_map' },
      hint: 'The repository has no such file.',
    })
  })
}

/** A listing comes from outside: no hidden file, no folder above, nothing that a file system reads in its own way. */
function isPlainPath(path: string): boolean {
  return path.split('/').every((part) => /^[A-Za-z0-9_][\w.+-]*$/.test(part))
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'It has none.' : `It has ${names.join(', ')}.`
}
