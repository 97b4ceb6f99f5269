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
