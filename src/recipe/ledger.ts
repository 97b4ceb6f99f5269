import { join } from 'node:path'
import { writeFileAtomic } from '../files/atomic.ts'
import type { LedgerEntry } from '../mixture/index.ts'
import type { Step } from './step.ts'
import { finishedFolder, readStepRecord } from './stepFolder.ts'

/** Every decision of the finished steps, in the order of the plan. */
export async function readLedger(runDir: string, plan: readonly Step[]): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = []
  for (const step of plan) {
    const record = await readStepRecord(finishedFolder(runDir, step.name))
    if (record?.key !== step.key) continue
    for (const decision of record.decisions) {
      entries.push({ at: record.startedAt, step: step.name, ...decision })
    }
  }
  return entries
}

/**
 * Writes ledger.jsonl anew from the decisions kept in the steps' records: a step that is done again replaces its
 * decisions, a crash neither loses nor doubles one.
 */
export async function writeLedger(runDir: string, plan: readonly Step[]): Promise<void> {
  const entries = await readLedger(runDir, plan)
  await writeFileAtomic(
    join(runDir, 'ledger.jsonl'),
    entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''),
  )
}
