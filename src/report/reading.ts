import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { fileError } from '../errors.ts'
import { readJsonLines } from '../files/jsonl.ts'

/**
 * Reads the files of a run for a report. A file that is not there gives `undefined`; one that is there and cannot be
 * understood gives `undefined` and a line in `problems`: half a report is worth more than none.
 */
export class RunReader {
  readonly problems: { step: string; message: string }[] = []
  readonly #runDir: string

  constructor(runDir: string) {
    this.#runDir = runDir
  }

  async text(path: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#runDir, path), 'utf8')
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw fileError(error, join(this.#runDir, path))
    }
  }

  async json<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await this.text(path)
    if (text === undefined) return undefined
    try {
      return this.#check(path, schema.safeParse(JSON.parse(text)))
    } catch {
      this.#report(path, 'is not JSON')
      return undefined
    }
  }

  /** The lines that fit the schema; a torn last line (the run was killed while it wrote) is passed over. */
  async jsonLines<T>(path: string, schema: z.ZodType<T>): Promise<T[]> {
    const values: T[] = []
    let misfits = 0
    try {
      for await (const { value } of readJsonLines(join(this.#runDir, path))) {
        const parsed = schema.safeParse(value)
        if (parsed.success) values.push(parsed.data)
        else misfits++
      }
    } catch (error) {
      if (!isAbsent(error) && !isAbsent((error as { cause?: unknown }).cause)) {
        this.#report(path, `ends at a line that is not JSON, after ${values.length} good lines`)
      }
    }
    if (misfits > 0) this.#report(path, `has ${misfits} lines that are not what a report reads`)
    return values
  }

  #check<T>(path: string, parsed: z.ZodSafeParseResult<T>): T | undefined {
    if (parsed.success) return parsed.data
    const issue = parsed.error.issues[0]
    this.#report(path, `has an unexpected shape at ${issue?.path.join('.') || 'the top'}: ${issue?.message}`)
    return undefined
  }

  #report(path: string, what: string): void {
    const step = /^steps\/([^/]+)\//.exec(path)?.[1] ?? 'report'
    this.problems.push({ step, message: `${path} ${what}; the report leaves it out.` })
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
