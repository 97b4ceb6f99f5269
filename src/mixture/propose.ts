import { isAboveChance, type Score } from '../eval/index.ts'
import type { Evidence, Proposal, Weights } from './evidence.ts'
import type { DomainState, MixtureState } from './state.ts'
import { fillWithin } from './water-filling.ts'

/** How strongly a domain's need moves its weight: need 0.3 above the mean multiplies it by about e^0.3 = 1.35. */
const STEP_SIZE = 1
/** A loss falls when it has lost this share of itself since the last evaluation. */
const FALLS = 0.005
/** A loss that has stopped falling has half the claim of one that falls. */
const STALLED = 0.5
/** Added need of a domain whose task is not above chance. */
const AT_CHANCE = 0.1
/** Added need of a saved set once the decay is there. */
const SAVED_IN_DECAY = 0.5
/** Share of a later decay for which a saved set keeps its tokens. */
const DECAY_SHARE = 0.3

/**
 * Proposes the weights of the next stage, in the manner of SmolLM2's refinement with the update of DoReMi (Xie et
 * al. 2023): a domain's need is its held-out loss above the Kneser-Ney baseline, relative to it, and counts half
 * when the loss no longer falls. Weights are multiplied by e^(need - mean need), kept within the bounds on change,
 * and filled up so that no domain is asked for more tokens than its cap on epochs leaves. Every number is in the
 * reasons and the evidence.
 */
export function proposeMixture(state: MixtureState): Proposal {
  const names = Object.keys(state.domains)
  const needs = names.map((name) => needOf(name, state))
  const weights = names.map((name) => state.weights[name] ?? 0)
  const total = weights.reduce((sum, weight) => sum + weight, 0) || 1
  const current = weights.map((weight) => weight / total)
  const mean = current.reduce((sum, weight, i) => sum + weight * needs[i].need, 0)
  const wanted = current.map((weight, i) => weight * Math.exp(STEP_SIZE * (needs[i].need - mean)))
  const caps = names.map((name) => capOf(state.domains[name], state))
  const { shares, notes } = withinBounds(wanted, current, caps, state)
  const reasons = names.map((name, i) =>
    [
      `${name}: ${percent(current[i])} to ${percent(shares[i])}.`,
      needs[i].sentence,
      shares[i] >= caps[i] - 1e-9 && caps[i] < 1 ? capSentence(state.domains[name], caps[i], state) : '',
    ]
      .filter(Boolean)
      .join(' '),
  )
  return {
    stage: state.stage,
    weights: Object.fromEntries(names.map((name, i) => [name, shares[i]])),
    reasons: [...reasons, ...notes],
    evidence: names.flatMap((name, i) => [...needs[i].evidence, tokensLeftEvidence(name, state)]),
  }
}

interface Need {
  need: number
  sentence: string
  evidence: Evidence[]
}

function needOf(name: string, state: MixtureState): Need {
  const { measurements, baseline, saved } = state.domains[name]
  const [before, last] = [measurements.at(-2), measurements.at(-1)]
  if (last === undefined) return { need: 0, sentence: 'It was not measured.', evidence: [] }
  const parts = [`Its held-out loss is ${bits(last.bitsPerByte)}`]
  const evidence: Evidence[] = [
    {
      measure: 'held-out loss',
      subject: name,
      unit: 'bits per byte',
      value: last.bitsPerByte,
      ...range(last),
      tokens: last.tokens,
    },
  ]
  let need = 0
  if (baseline !== undefined && baseline > 0) {
    const excess = (last.bitsPerByte - baseline) / baseline
    need = Math.max(0, excess)
    parts.push(
      `${percent(Math.abs(excess))} ${excess > 0 ? 'above' : 'below'} the 5-gram's ${baseline.toFixed(3)}`,
    )
    evidence.push({ measure: 'Kneser-Ney baseline', subject: name, unit: 'bits per byte', value: baseline })
  }
  if (before !== undefined && last.tokens > before.tokens) {
    const fall = before.bitsPerByte - last.bitsPerByte
    const perMillion = (fall / (last.tokens - before.tokens)) * 1e6
    const falling = fall > FALLS * last.bitsPerByte
    if (!falling) need *= STALLED
    parts.push(
      falling
        ? `and still falls, by ${perMillion.toFixed(3)} bits per byte a million tokens`
        : `and hardly falls any more (${perMillion.toFixed(3)} bits per byte a million tokens)`,
    )
    evidence.push({
      measure: 'fall of the loss',
      subject: name,
      unit: 'bits per byte a million tokens',
      value: perMillion,
      tokens: last.tokens,
    })
  }
  const sentences = [`${parts.join(', ')}.`]
  for (const score of taskScores(name, state)) {
    evidence.push({
      measure: score.metric,
      subject: score.task,
      unit: 'share',
      value: score.value,
      low: score.low,
      high: score.high,
      tokens: last.tokens,
    })
    const figures = `${score.value.toFixed(2)} (${score.low.toFixed(2)} to ${score.high.toFixed(2)})`
    const chance = (score.chance ?? 0).toFixed(2)
    if (isAboveChance(score))
      sentences.push(`On ${score.task} it is above chance: ${figures} against ${chance}.`)
    else {
      need += AT_CHANCE
      sentences.push(`On ${score.task} it is not above chance yet: ${figures} against ${chance}.`)
    }
  }
  if (saved && state.decay) {
    need += SAVED_IN_DECAY
    sentences.push('It is of high quality and was saved for the decay.')
  }
  return { need, sentence: sentences.join(' '), evidence }
}

function taskScores(name: string, { scores = [], taskDomains = {} }: MixtureState): Score[] {
  return scores.filter((score) => score.chance !== undefined && taskDomains[score.task] === name)
}

/** The largest weight that the domain's tokens allow: obeyed exactly. */
function capOf(domain: DomainState, state: MixtureState): number {
  const kept = domain.saved && !state.decay ? DECAY_SHARE * (state.laterDecayTokens ?? 0) : 0
  return Math.max(0, Math.min(1, (domain.tokensLeft - kept) / state.nextTokens))
}

/**
 * Fills within caps, floors and the limits on change; where these leave no solution the limits on change give way
 * first, then the floors, never the caps. Too few tokens for the whole stage: what is left, in proportion.
 */
function withinBounds(
  wanted: readonly number[],
  current: readonly number[],
  caps: readonly number[],
  state: MixtureState,
): { shares: number[]; notes: string[] } {
  const { maxChange = 0.15, maxFactor = 2, minWeight = 0.02 } = state.bounds ?? {}
  const bound = (low: number, high: number, cap: number) => ({
    low: Math.min(Math.max(0, low), cap, 1),
    high: Math.min(high, cap),
  })
  const stepwise = caps.map((cap, i) =>
    current[i] === 0
      ? bound(0, 0, cap)
      : bound(
          Math.max(Math.min(minWeight, current[i]), current[i] - maxChange, current[i] / maxFactor),
          Math.max(minWeight, Math.min(current[i] + maxChange, current[i] * maxFactor)),
          cap,
        ),
  )
  const gentle = fillWithin(wanted, stepwise)
  if (gentle !== undefined) return { shares: gentle, notes: [] }
  const floors = caps.map((cap, i) => bound(current[i] === 0 ? 0 : minWeight, 1, cap))
  const filled =
    fillWithin(wanted, floors) ??
    fillWithin(
      wanted,
      caps.map((cap) => bound(0, 1, cap)),
    )
  if (filled !== undefined)
    return {
      shares: filled,
      notes: ['The caps on epochs ask for larger changes than the bounds on change allow.'],
    }
  const available = caps.reduce((sum, cap) => sum + cap, 0)
  const note = `Under the caps on epochs only ${count(available * state.nextTokens)} tokens are left for a stage of ${count(state.nextTokens)}.`
  return { shares: caps.map((cap) => (available > 0 ? cap / available : 1 / caps.length)), notes: [note] }
}

function capSentence(domain: DomainState, cap: number, state: MixtureState): string {
  const saving = domain.saved && !state.decay && (state.laterDecayTokens ?? 0) > 0
  return `Its cap on epochs leaves ${count(domain.tokensLeft)} tokens${saving ? ', part of them saved for the decay' : ''}: at most ${percent(cap)} of the stage.`
}

function tokensLeftEvidence(name: string, state: MixtureState): Evidence {
  return {
    measure: 'tokens left under the cap on epochs',
    subject: name,
    unit: 'tokens',
    value: state.domains[name].tokensLeft,
  }
}

function range({ low, high }: { low?: number; high?: number }): { low?: number; high?: number } {
  return low === undefined || high === undefined ? {} : { low, high }
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const bits = (value: number) => `${value.toFixed(3)} bits per byte`
const count = (tokens: number) => Math.round(tokens).toLocaleString('en-US')

/** Weights that sum to 1. */
export function normalised(weights: Weights): Weights {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  return Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, weight / (total || 1)]))
}
