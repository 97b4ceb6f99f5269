import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'
import { readJsonLines } from '../../files/jsonl.ts'

const message = z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })
const kind = z.enum(['definition', 'sum', 'code', 'reading', 'dialogue'])

export const conversationSchema = z.object({ messages: z.array(message), kind })
export const pairSchema = z.object({ messages: z.array(message), chosen: z.string(), rejected: z.string() })

/** Reads a JSON-lines file that a step wrote. */
export async function readLines<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.infer<Schema>[]> {
  const values: z.infer<Schema>[] = []
  for await (const { line, value } of readJsonLines(path)) {
    const parsed = schema.safeParse(value)
    if (!parsed.success) {
      throw new SmolforgeError('damaged', 'This line is not what the step wrote', {
        place: { file: path, line },
      })
    }
    values.push(parsed.data)
  }
  return values
}
