import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { fileError, SmolforgeError } from '../errors.ts'

/**
 * Reads a JSON file of a finished step.
 *
 * @throws SmolforgeError `damaged` naming the file when it is not what the step wrote.
 */
export async function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fileError(error, path)
  })
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new SmolforgeError('damaged', 'This file is not what the step wrote', {
      place: { file: path },
      cause,
    })
  }
}
