export type { Ablation, AblationArm, AblationDifference, AblationRun } from './ablation.ts'
export type { Evidence, Proposal, Weights } from './evidence.ts'
export type { LedgerEntry } from './ledger.ts'
