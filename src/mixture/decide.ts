import type { Proposal, Weights } from './evidence.ts'
import type { LedgerEntry } from './ledger.ts'
import { normalised, proposeMixture } from './propose.ts'
import type { MixtureState } from './state.ts'

/** A person's choice, from the recipe. */
export interface Pinned {
  weights: Weights
  reason?: string
}

/**
 * The mixture of the next stage and its ledger entry (without the time and the step): the rule's proposal, or what
 * a person pinned. A pinned mixture is taken as it is; the entry says what the rule would have proposed and where
 * the pinned weights overrun a cap on epochs.
 */
export function decideMixture(
  state: MixtureState,
  pinned?: Pinned,
): { weights: Weights; proposal: Proposal; entry: Omit<LedgerEntry, 'at' | 'step'> } {
  const proposal = proposeMixture(state)
  const before = normalised(state.weights)
  const decision = `mixture of ${state.stage}`
  if (pinned === undefined) {
    const { weights, reasons, evidence } = proposal
    return { weights, proposal, entry: { decision, by: 'rule', before, after: weights, reasons, evidence } }
  }
  const after = normalised(pinned.weights)
  const reasons = [
    pinned.reason ?? 'Pinned in the recipe.',
    `The rule would have proposed ${format(proposal.weights)}.`,
    ...overruns(after, state),
  ]
  return {
    weights: after,
    proposal,
    entry: { decision, by: 'person', before, after, reasons, evidence: proposal.evidence },
  }
}

function overruns(weights: Weights, state: MixtureState): string[] {
  return Object.entries(weights).flatMap(([name, weight]) => {
    const left = state.domains[name]?.tokensLeft ?? 0
    const asked = weight * state.nextTokens
    if (asked <= left) return []
    return [
      `${name} is asked for ${Math.round(asked)} tokens, its cap on epochs leaves ${Math.round(left)}: the rest goes to the others.`,
    ]
  })
}

function format(weights: Weights): string {
  return Object.entries(weights)
    .map(([name, weight]) => `${name} ${(100 * weight).toFixed(1)} %`)
    .join(', ')
}
