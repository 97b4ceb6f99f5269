import { open, readFile } from 'node:fs/promises'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../errors.ts'
import type { Evidence, Weights } from './evidence.ts'

/** What was decided, by a rule or by a person, and on what ground: a line of `ledger.jsonl`. */
export interface LedgerEntry {
  /** ISO 8601, UTC. */
  at: string
  /** The step of the run that decided, for example `refine-1`. */
  step: string
  /** What was decided, for example `mixture of stage 2`. */
  decision: string
  by: 'rule' | 'person'
  before: Weights
  after: Weights
  reasons: string[]
  evidence: Evidence[]
}

const weightsSchema = z.record(z.string(), z.number().min(0))

/** A decision as data, before it is known when and by which step it was taken. */
export const decisionSchema = z.object({
  decision: z.string(),
  by: z.enum(['rule', 'person']),
  before: weightsSchema,
  after: weightsSchema,
  reasons: z.array(z.string()),
  evidence: z.array(
    z.object({
      measure: z.string(),
      subject: z.string(),
      value: z.number(),
      low: z.number().optional(),
      high: z.number().optional(),
      unit: z.string(),
      tokens: z.number().optional(),
    }),
  ),
})
const entrySchema = decisionSchema.extend({ at: z.iso.datetime(), step: z.string() })

/** Adds one entry to a ledger; it is on the disk when the promise resolves. Nothing is ever rewritten. */
export async function appendLedger(path: string, entry: LedgerEntry): Promise<void> {
  try {
    const handle = await open(path, 'a')
    try {
      await handle.write(`${JSON.stringify(entry)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw fileError(error, path)
  }
}

/**
 * Reads a ledger. A last line without its end is what a crash leaves of an entry that was never confirmed: it is
 * left out.
 *
 * @throws SmolforgeError `damaged` with the line of anything else that is no entry.
 */
export async function readLedger(path: string): Promise<LedgerEntry[]> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fileError(error, path)
  })
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line, i) => {
    try {
      return entrySchema.parse(JSON.parse(line))
    } catch (cause) {
      throw new SmolforgeError('damaged', 'Not an entry of a ledger', {
        place: { file: path, line: i + 1 },
        hint: 'A ledger is only ever appended to: restore this line or remove it.',
        cause,
      })
    }
  })
}

/**
 * The mixtures in the order in which they came into force. A decision that was taken again (a step done anew, a
 * person who thought better of it) replaces the earlier one and all that followed it.
 */
export function replayLedger(
  entries: readonly LedgerEntry[],
): { decision: string; weights: Weights; by: LedgerEntry['by'] }[] {
  const inForce: { decision: string; weights: Weights; by: LedgerEntry['by'] }[] = []
  for (const { decision, after, by } of entries) {
    const known = inForce.findIndex((earlier) => earlier.decision === decision)
    if (known >= 0) inForce.splice(known)
    inForce.push({ decision, weights: after, by })
  }
  return inForce
}
