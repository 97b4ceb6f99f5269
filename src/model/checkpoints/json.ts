import { readFile } from 'node:fs/promises'
import { fileError, SmolforgeError } from '../../errors.ts'

/** A JSON file's content; SmolforgeError `input` naming the file that is none. */
export async function readJson(path: string): Promise<unknown> {
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
