import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic.ts'

/** One optimizer step, as a line of `metrics.jsonl`. */
export interface TrainMetrics {
  step: number
  /** Tokens seen since the beginning of the run. */
  tokens: number
  /** Mean over the step's targets, in nats. */
  loss: number
  /** Peak rate of AdamW times the schedule. */
  learningRate: number
  /** Before clipping. */
  gradientNorm: number
  tokensPerSecond: number
  elapsedMs: number
  /** DPO only: share of pairs whose chosen answer gained more, and the mean gap of the rewards. */
  accuracy?: number
  margin?: number
}

/** Bits per byte of one domain's held-out text, as a line of `heldout.jsonl`. */
export interface HeldOutMetrics {
  step: number
  tokens: number
  domain: string
  bitsPerByte: number
}

/**
 * A JSON-lines file that follows training: on opening, lines of steps after `step` (written before a crash, and about
 * to be written again) and a half-written last line are dropped. Nothing is written where `path` is undefined.
 */
export async function openStepLog(path: string | undefined, step: number): Promise<StepLog> {
  if (path === undefined) return { append: async () => {}, sync: async () => {}, close: async () => {} }
  try {
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
      throw error
    })
    await mkdir(dirname(path), { recursive: true })
    const kept = text.split('\n').filter((line) => stepOf(line) <= step)
    await writeFileAtomic(path, kept.map((line) => `${line}\n`).join(''))
    const handle = await open(path, 'a')
    return {
      append: async (line) => {
        try {
          await handle.appendFile(`${JSON.stringify(line)}\n`)
        } catch (error) {
          throw fileError(error, path)
        }
      },
      sync: () => handle.sync(),
      close: () => handle.close(),
    }
  } catch (error) {
    throw fileError(error, path)
  }
}

export interface StepLog {
  append(line: object): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

/** The step of a line; infinite, so that it goes, for a blank or broken one. */
function stepOf(line: string): number {
  try {
    const value: unknown = JSON.parse(line)
    const isLine = typeof value === 'object' && value !== null && 'step' in value
    return isLine && typeof value.step === 'number' ? value.step : Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
