import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'
import { readJson } from './json.ts'
import { openSafetensors, type SafetensorsFile } from './safetensors.ts'
import type { Weights } from './weights.ts'

/** The tensors of a Hugging Face folder, from one file or from the parts that `model.safetensors.index.json` lists. */
export async function openSafetensorsWeights(dir: string): Promise<Weights> {
  const single = join(dir, 'model.safetensors')
  const index = join(dir, 'model.safetensors.index.json')
  const parts = (await exists(single)) || !(await exists(index)) ? [single] : await partFiles(dir, index)
  const open: SafetensorsFile[] = []
  const close = async () => {
    for (const file of open) await file.close()
  }
  try {
    for (const path of parts) open.push(await openSafetensors(path))
  } catch (error) {
    await close()
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
    entry(name) {
      const { file, entry } = placeOf(name)
      const { shape, start, end } = entry
      return { path: file.path, format: file.floatType(entry), shape, start, end }
    },
    read: async (name) => placeOf(name).file.read(name),
    async readBytes(name) {
      const { file, entry } = placeOf(name)
      return { dtype: entry.dtype, shape: entry.shape, bytes: await file.readBytes(entry) }
    },
    close,
  }
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

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
