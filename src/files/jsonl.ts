import { createReadStream, createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'
import { fileError, SmolforgeError } from '../errors.ts'

/**
 * Reads a plain JSON-lines file; yields the value and its line number. Blank lines are passed over.
 *
 * @throws SmolforgeError `input` with file and line at the first line that is no JSON.
 */
export async function* readJsonLines(path: string): AsyncGenerator<{ line: number; value: unknown }> {
  const input = createReadStream(path)
  const failed = new Promise<never>((_, reject) => input.once('error', reject))
  failed.catch(() => {})
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]()
  let line = 0
  while (true) {
    const next = await Promise.race([lines.next(), failed]).catch((error) => {
      throw fileError(error, path)
    })
    if (next.done) return
    line++
    const text = line === 1 ? next.value.replace(/^\uFEFF/, '') : next.value
    if (text.trim() === '') continue
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw new SmolforgeError('input', `Not a JSON value: ${text.slice(0, 60)}`, {
        place: { file: path, line },
        cause,
      })
    }
    yield { line, value }
  }
}

/** Writes one JSON value a line and closes the file; waits for the disk when it lags behind. */
export async function writeJsonLines(
  path: string,
  values: AsyncIterable<unknown> | Iterable<unknown>,
): Promise<number> {
  const output = createWriteStream(path)
  const ended = finished(output)
  ended.catch(() => {})
  let count = 0
  try {
    for await (const value of values) {
      if (output.errored) break
      if (!output.write(`${JSON.stringify(value)}\n`)) {
        await Promise.race([new Promise<void>((resolve) => output.once('drain', () => resolve())), ended])
      }
      count++
    }
    output.end()
    await ended
  } catch (error) {
    output.destroy()
    throw fileError(error, path)
  }
  return count
}
