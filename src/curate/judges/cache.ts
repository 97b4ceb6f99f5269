import { type FileHandle, open, truncate } from 'node:fs/promises'
import { z } from 'zod'
import { readLines } from '../../corpus/index.ts'
import { fileError } from '../../errors.ts'
import { takeLock } from '../../files/lock.ts'

/** What a judge said once, or why it said nothing; tokens are paid for either way. */
export interface Judgement {
  score?: number
  /** Why there is no score. */
  failure?: string
  promptTokens: number
  answerTokens: number
}

/**
 * Judgements on disk: JSON lines that are only ever added, each in one write when it is there, so that a process that is
 * killed loses the requests on their way and nothing else. A line that was cut is dropped when the file is opened.
 */
export class JudgementCache {
  readonly #path: string
  readonly #file: FileHandle
  readonly #unlock: () => Promise<void>
  readonly #known: Map<string, Judgement>

  private constructor(
    path: string,
    file: FileHandle,
    unlock: () => Promise<void>,
    known: Map<string, Judgement>,
  ) {
    this.#path = path
    this.#file = file
    this.#unlock = unlock
    this.#known = known
  }

  /** @throws SmolforgeError `usage` while another process writes there. */
  static async open(path: string): Promise<JudgementCache> {
    const unlock = await takeLock(`${path}.lock`, {
      folder: path,
      work: 'Another labelling',
      hint: 'Wait for it to end, or give this one another --cache.',
    })
    try {
      const file = await open(path, 'a')
      await cutTornLine(path)
      return new JudgementCache(path, file, unlock, await readJudgements(path))
    } catch (error) {
      await unlock()
      throw fileError(error, path)
    }
  }

  get(key: string): Judgement | undefined {
    return this.#known.get(key)
  }

  /** `answer` is kept for people who ask why. */
  async add(key: string, judgement: Judgement, answer: string): Promise<void> {
    const { score, failure, promptTokens, answerTokens } = judgement
    const line = { key, score, failure, promptTokens, answerTokens, answer: answer.slice(0, MAX_ANSWER) }
    remember(this.#known, key, judgement)
    try {
      await this.#file.appendFile(`${JSON.stringify(line)}\n`)
    } catch (error) {
      throw fileError(error, this.#path)
    }
  }

  async close(): Promise<void> {
    await this.#file.sync().catch(() => {})
    await this.#file.close()
    await this.#unlock()
  }
}

const MAX_ANSWER = 4000

const lineSchema = z.object({
  key: z.string(),
  score: z.number().optional(),
  failure: z.string().optional(),
  promptTokens: z.number(),
  answerTokens: z.number(),
})

async function readJudgements(path: string): Promise<Map<string, Judgement>> {
  const known = new Map<string, Judgement>()
  for await (const lines of readLines(path)) {
    for (const { text } of lines) {
      const parsed = lineSchema.safeParse(jsonOf(text))
      if (!parsed.success) continue
      const { key, ...judgement } = parsed.data
      remember(known, key, judgement)
    }
  }
  return known
}

/** The last judgement holds; what was paid for the ones before stays paid. */
function remember(known: Map<string, Judgement>, key: string, judgement: Judgement): void {
  const before = known.get(key)
  known.set(key, {
    ...judgement,
    promptTokens: judgement.promptTokens + (before?.promptTokens ?? 0),
    answerTokens: judgement.answerTokens + (before?.answerTokens ?? 0),
  })
}

async function cutTornLine(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const tail = Buffer.alloc(Math.min(size, 1 << 16))
    await file.read(tail, 0, tail.length, size - tail.length)
    const end = tail.lastIndexOf(10)
    // A line is shorter than the tail that is read.
    if (end + 1 < tail.length) await truncate(path, size - tail.length + end + 1)
  } finally {
    await file.close()
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
