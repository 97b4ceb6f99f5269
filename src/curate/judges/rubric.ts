import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileError, SmolforgeError } from '../../errors.ts'

/** What a judge goes by: a text that says what 0 to 5 mean. */
export interface Rubric {
  /** Also the name of the score: `edu`. */
  name: string
  /** As it is put to the judge. */
  text: string
  /** Of the text: a label belongs to the rubric that it was made by. */
  sha256: string
}

/** The rubrics that come with smolforge, in `rubrics/`. */
export const rubricNames = ['edu', 'maths', 'code'] as const

/** The scale of every rubric. */
export const LOWEST_SCORE = 0
export const HIGHEST_SCORE = 5

/**
 * A rubric by its name, or from a file of your own: any text that says what the scores 0 to 5 mean.
 *
 * @throws SmolforgeError `usage` for a name that is not there, `input` for a file that is empty or cannot be read.
 */
export async function readRubric(nameOrPath: string): Promise<Rubric> {
  const known = (rubricNames as readonly string[]).includes(nameOrPath)
  const path = known ? fileURLToPath(new URL(`${nameOrPath}.md`, RUBRICS)) : nameOrPath
  const text = await readFile(path, 'utf8').catch((error) => {
    throw looksLikeFile(nameOrPath) || known ? fileError(error, path) : unknownRubric(nameOrPath)
  })
  if (text.trim() === '') throw new SmolforgeError('input', 'The rubric is empty', { place: { file: path } })
  return makeRubric(basename(path, extname(path)), text)
}

export function makeRubric(name: string, text: string): Rubric {
  const trimmed = text.replace(/\r\n/g, '\n').trim()
  return { name, text: trimmed, sha256: createHash('sha256').update(trimmed).digest('hex') }
}

// The same place as seen from src/curate/judges/ and from dist/curate/judges/.
const RUBRICS = new URL('../../../rubrics/', import.meta.url)

const looksLikeFile = (name: string) => /[./\\]/.test(name)

function unknownRubric(name: string): SmolforgeError {
  return new SmolforgeError('usage', `There is no rubric "${name}"`, {
    hint: `There are ${rubricNames.join(', ')}; or give the path of a text file of your own.`,
  })
}
