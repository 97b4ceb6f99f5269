import { describe, expect, it } from 'vitest'
import { type AblationArm, type ArmResult, runAblation } from '../../src/mixture/index.ts'
import { Random } from '../../src/random/random.ts'

const mixture = { prose: 0.6, maths: 0.4 }

/** Held-out losses of a pretended arm: each document has its own difficulty, the arm shifts all a little. */
function result(arm: AblationArm, seed: number, gain: { prose: number; maths: number }): ArmResult {
  const difficulty = new Random('documents')
  const luck = Random.derive(seed, arm.name)
  const heldOut = (['prose', 'maths'] as const).map((domain) => {
    const documents = Array.from({ length: 60 }, () => {
      const perByte = 2 + difficulty.normal() * 0.5 + luck.normal() * 0.02
      const shift = arm.name === 'candidate' ? -gain[domain] : 0
      return { bits: 1000 * (perByte + shift), bytes: 1000, tokens: 300 }
    })
    return { domain, documents, bitsPerByte: 2 }
  })
  const outcomes = Array.from({ length: 100 }, () => luck.int(2))
  const score = { task: 'arithmetic', metric: 'exact match', form: 'generative', shots: 0, n: 100 } as const
  return { heldOut, scores: [{ ...score, value: 0.5, low: 0.4, high: 0.6, outcomes }] }
}

async function ablation(gain: { prose: number; maths: number }, seeds: number[]) {
  const trained: { weights: Record<string, number>; seed: number; tokens: number }[] = []
  const outcome = await runAblation(
    { candidate: 'maths', share: 0.5, mixture, tokens: 1234, seeds },
    async (arm, seed, tokens) => {
      trained.push({ weights: arm.weights, seed, tokens })
      return arm
    },
    async (model, arm, seed) => {
      expect(model).toBe(arm)
      return result(arm, seed, gain)
    },
  )
  return { outcome, trained }
}

describe('an annealing ablation', () => {
  it('trains each arm with each seed on the mixtures of the protocol', async () => {
    const { trained } = await ablation({ prose: 0, maths: 0 }, [1, 2])
    expect(trained.map(({ seed }) => seed)).toEqual([1, 1, 2, 2])
    expect(trained[0].weights).toEqual(mixture)
    expect(trained[1].weights.prose).toBeCloseTo(0.3, 12)
    expect(trained[1].weights.maths).toBeCloseTo(0.7, 12)
    expect(new Set(trained.map(({ tokens }) => tokens))).toEqual(new Set([1234]))
  })

  it('finds a small gain that holds for every document, although documents differ much more', async () => {
    const { outcome } = await ablation({ prose: 0.02, maths: 0.05 }, [1, 2, 3])
    expect(outcome.verdict).toBe('better')
    const maths = outcome.differences.find(({ subject }) => subject === 'maths')
    expect(maths).toMatchObject({ significant: true, better: true })
    expect(maths?.low).toBeLessThan(-0.05)
    expect(maths?.high).toBeGreaterThan(-0.05)
    expect(outcome.conclusion[0]).toContain('improves the mean over all domains')
  })

  it('says so when there is no significant difference', async () => {
    const { outcome } = await ablation({ prose: 0, maths: 0 }, [1, 2])
    expect(outcome.verdict).toBe('no significant difference')
    expect(outcome.conclusion.join(' ')).toContain('no significant difference')
    expect(outcome.conclusion.join(' ')).toContain('arithmetic')
  })

  it('does not call it a gain when the candidate helps itself and costs the others more', async () => {
    const { outcome } = await ablation({ prose: -0.2, maths: 0.05 }, [1, 2])
    expect(outcome.verdict).toBe('worse')
    expect(outcome.conclusion.join(' ')).toContain('maths: significantly better')
    expect(outcome.conclusion.join(' ')).toContain('prose: significantly worse')
  })

  it('is the same when asked again, and can be written as JSON', async () => {
    const [first, second] = [
      await ablation({ prose: 0, maths: 0.1 }, [7]),
      await ablation({ prose: 0, maths: 0.1 }, [7]),
    ]
    expect(first.outcome).toEqual(second.outcome)
    expect(JSON.parse(JSON.stringify(first.outcome))).toEqual(first.outcome)
    expect(first.outcome.conclusion.at(-1)).toContain('of one seed')
  })

  it('refuses a candidate that the mixture does not know, and stops between arms', async () => {
    const train = async () => 0
    const evaluate = async (_: number, arm: AblationArm) => result(arm, 1, { prose: 0, maths: 0 })
    const options = { candidate: 'law', share: 0.5, mixture, tokens: 1, seeds: [1] }
    await expect(runAblation(options, train, evaluate)).rejects.toMatchObject({ code: 'usage' })
    const stopped = { ...options, candidate: 'maths', stop: { stopped: true } }
    await expect(runAblation(stopped, train, evaluate)).rejects.toMatchObject({ code: 'interrupted' })
  })
})
