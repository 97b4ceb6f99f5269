import { z } from 'zod'
import { SmolforgeError } from '../errors.ts'
import { readJsonLines, writeJsonLines } from '../files/jsonl.ts'

/** Reads `{"text"}` or the like from a JSON-lines file, answers each line, writes the answers as they come. */
export async function answerLines<Schema extends z.ZodType>(
  paths: { input: string; output: string },
  schema: Schema,
  answer: (value: z.infer<Schema>, line: number) => object | Promise<object>,
): Promise<number> {
  async function* answers() {
    for await (const { line, value } of readJsonLines(paths.input)) {
      const parsed = schema.safeParse(value)
      if (!parsed.success) {
        throw new SmolforgeError(
          'input',
          `Not a line of the form that is asked for: ${z.prettifyError(parsed.error)}`,
          {
            place: { file: paths.input, line },
          },
        )
      }
      try {
        yield await answer(parsed.data, line)
      } catch (error) {
        throw atLine(error, paths.input, line)
      }
    }
  }
  return writeJsonLines(paths.output, answers())
}

export const textLine = z.looseObject({ text: z.string() })

function atLine(error: unknown, file: string, line: number): unknown {
  if (!(error instanceof SmolforgeError) || error.place.file !== undefined) return error
  return new SmolforgeError(error.code, error.message, {
    place: { file, line },
    hint: error.hint,
    cause: error,
  })
}
