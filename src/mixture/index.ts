export {
  type Ablation,
  type AblationArm,
  type AblationDifference,
  type AblationOptions,
  type AblationRun,
  type ArmResult,
  runAblation,
  summariseAblation,
} from './ablation.ts'
export { decideMixture, type Pinned } from './decide.ts'
export type { Evidence, Proposal, Weights } from './evidence.ts'
export { appendLedger, type LedgerEntry, readLedger, replayLedger } from './ledger.ts'
export { proposeMixture } from './propose.ts'
export type { DomainState, Measurement, MixtureBounds, MixtureState } from './state.ts'
