import { describe, expect, it } from 'vitest'
import { decideMixture, type MixtureState, proposeMixture } from '../../src/mixture/index.ts'
import { fillWithin } from '../../src/mixture/water-filling.ts'
import { Random } from '../../src/random/random.ts'

const falls = (from: number, to: number) => [
  { tokens: 1_000_000, bitsPerByte: from },
  { tokens: 2_000_000, bitsPerByte: to, low: to - 0.05, high: to + 0.05 },
]

function someState(changes: Partial<MixtureState> = {}): MixtureState {
  return {
    stage: 'stage 2',
    weights: { prose: 0.5, code: 0.3, maths: 0.1, dictionary: 0.1 },
    domains: {
      prose: { measurements: falls(2.1, 1.9), baseline: 1.8, tokensLeft: 1e8 },
      code: { measurements: falls(2.6, 2.2), baseline: 1.5, tokensLeft: 1e8 },
      maths: { measurements: falls(1.5, 1.4), baseline: 1.4, tokensLeft: 1e8 },
      dictionary: { measurements: falls(2.2, 2.0), baseline: 1.9, tokensLeft: 1e8 },
    },
    nextTokens: 2_000_000,
    ...changes,
  }
}

const sum = (weights: Record<string, number>) => Object.values(weights).reduce((a, b) => a + b, 0)

describe('the proposed mixture', () => {
  it('gives more to the domain that is furthest above its baseline and still falls', () => {
    const { weights } = proposeMixture(someState())
    expect(weights.code).toBeGreaterThan(0.3)
    expect(weights.prose).toBeLessThan(0.5)
    expect(sum(weights)).toBeCloseTo(1, 9)
  })

  it('gives less of that when the loss no longer falls', () => {
    const state = someState()
    const stalled = someState({
      domains: { ...state.domains, code: { ...state.domains.code, measurements: falls(2.2, 2.199) } },
    })
    expect(proposeMixture(stalled).weights.code).toBeLessThan(proposeMixture(state).weights.code)
    expect(proposeMixture(stalled).reasons.join(' ')).toContain('hardly falls any more')
  })

  it('says why in sentences that hold the numbers, with the evidence beside them', () => {
    const { reasons, evidence } = proposeMixture(someState())
    const code = reasons.find((reason) => reason.startsWith('code'))
    expect(code).toContain('30.0 % to')
    expect(code).toContain('2.200 bits per byte')
    expect(code).toContain("46.7 % above the 5-gram's 1.500")
    expect(evidence).toContainEqual({
      measure: 'held-out loss',
      subject: 'code',
      unit: 'bits per byte',
      value: 2.2,
      low: 2.2 - 0.05,
      high: 2.2 + 0.05,
      tokens: 2_000_000,
    })
  })

  it('never asks a domain for more tokens than its cap on epochs leaves, whatever the state', () => {
    const random = new Random('caps')
    for (let round = 0; round < 500; round++) {
      const names = ['a', 'b', 'c', 'd', 'e'].slice(0, random.between(2, 5))
      const nextTokens = random.between(1000, 1_000_000)
      const domains = Object.fromEntries(
        names.map((name) => [
          name,
          {
            measurements: falls(1 + 2 * random.float(), 1 + random.float()),
            baseline: 0.5 + random.float(),
            tokensLeft: random.int(4) === 0 ? random.int(nextTokens / 4) : random.int(nextTokens * 2),
            saved: random.int(4) === 0,
          },
        ]),
      )
      const weights = Object.fromEntries(names.map((name) => [name, random.float()]))
      const state: MixtureState = {
        stage: 's',
        weights,
        domains,
        nextTokens,
        laterDecayTokens: random.int(nextTokens),
      }
      const proposed = proposeMixture(state)
      expect(sum(proposed.weights)).toBeCloseTo(1, 6)
      const kept = (name: string) => (domains[name].saved ? 0.3 * (state.laterDecayTokens ?? 0) : 0)
      const available = names.reduce(
        (all, name) => all + Math.min(nextTokens, Math.max(0, domains[name].tokensLeft - kept(name))),
        0,
      )
      if (available < nextTokens) {
        expect(proposed.reasons.join(' ')).toContain('tokens are left for a stage of')
        continue
      }
      for (const name of names)
        expect(proposed.weights[name] * nextTokens).toBeLessThanOrEqual(domains[name].tokensLeft + 1e-6)
    }
  })

  it('moves no weight by more than the bounds on change allow, and leaves none below the floor', () => {
    const bounds = { maxChange: 0.05, maxFactor: 1.2, minWeight: 0.05 }
    const state = someState({ bounds })
    const extreme = {
      ...state,
      domains: { ...state.domains, code: { ...state.domains.code, measurements: falls(9, 8) } },
    }
    const { weights } = proposeMixture(extreme)
    for (const [name, weight] of Object.entries(weights)) {
      expect(Math.abs(weight - state.weights[name])).toBeLessThanOrEqual(0.05 + 1e-9)
      expect(weight / state.weights[name]).toBeLessThanOrEqual(1.2 + 1e-9)
      expect(weight).toBeGreaterThanOrEqual(0.05 - 1e-9)
    }
  })

  it('saves a small good set for the decay, and spends it there', () => {
    const state = someState()
    const maths = { ...state.domains.maths, tokensLeft: 400_000, saved: true }
    const domains = { ...state.domains, maths }
    const before = proposeMixture({ ...state, domains, laterDecayTokens: 1_000_000 })
    expect(before.weights.maths * state.nextTokens).toBeLessThanOrEqual(100_000 + 1e-6)
    expect(before.reasons.join(' ')).toContain('saved for the decay')
    const inDecay = proposeMixture({ ...state, domains, decay: true })
    expect(inDecay.weights.maths).toBeGreaterThan(0.1)
  })

  it('gives more to a domain whose task is still at chance', () => {
    const score = {
      task: 'definitions',
      metric: 'accuracy',
      n: 200,
      form: 'cloze',
      shots: 0,
      chance: 0.25,
    } as const
    const taskDomains = { definitions: 'dictionary' }
    const atChance = someState({ taskDomains, scores: [{ ...score, value: 0.26, low: 0.2, high: 0.32 }] })
    const above = someState({ taskDomains, scores: [{ ...score, value: 0.5, low: 0.43, high: 0.57 }] })
    expect(proposeMixture(atChance).weights.dictionary).toBeGreaterThan(
      proposeMixture(above).weights.dictionary,
    )
    expect(proposeMixture(above).reasons.join(' ')).toContain(
      'above chance: 0.50 (0.43 to 0.57) against 0.25',
    )
  })

  it('is the same for the same state', () => {
    expect(proposeMixture(someState())).toEqual(proposeMixture(someState()))
  })
})

describe('a mixture that a person pinned', () => {
  it('is taken as it is and logged as that person’s, with what the rule would have done', () => {
    const pinned = { weights: { prose: 2, code: 1, maths: 1, dictionary: 0 }, reason: 'I want more maths.' }
    const { weights, entry } = decideMixture(someState(), pinned)
    expect(weights).toEqual({ prose: 0.5, code: 0.25, maths: 0.25, dictionary: 0 })
    expect(entry.by).toBe('person')
    expect(entry.reasons[0]).toBe('I want more maths.')
    expect(entry.reasons[1]).toContain('The rule would have proposed prose')
    expect(decideMixture(someState()).entry.by).toBe('rule')
  })

  it('says where it overruns a cap on epochs', () => {
    const state = someState()
    const domains = { ...state.domains, maths: { ...state.domains.maths, tokensLeft: 1000 } }
    const { entry } = decideMixture({ ...state, domains }, { weights: { maths: 1, prose: 1 } })
    expect(entry.reasons.join(' ')).toContain(
      'maths is asked for 1000000 tokens, its cap on epochs leaves 1000',
    )
  })
})

describe('water-filling', () => {
  it('keeps proportions among those that hit no bound', () => {
    const shares = fillWithin(
      [4, 2, 1],
      [
        { low: 0, high: 0.3 },
        { low: 0, high: 1 },
        { low: 0, high: 1 },
      ],
    )
    expect(shares?.[0]).toBe(0.3)
    expect((shares?.[1] ?? 0) / (shares?.[2] ?? 1)).toBeCloseTo(2, 9)
  })

  it('knows when there is no solution', () => {
    expect(
      fillWithin(
        [1, 1],
        [
          { low: 0, high: 0.3 },
          { low: 0, high: 0.3 },
        ],
      ),
    ).toBeUndefined()
    expect(
      fillWithin(
        [1, 1],
        [
          { low: 0.6, high: 1 },
          { low: 0.6, high: 1 },
        ],
      ),
    ).toBeUndefined()
  })
})
