import { describe, expect, test } from 'vitest'
import { Random } from '../../src/random/random.ts'
import { Sampler, type SamplerState, type ShardSet, type TokenBatch } from '../../src/shards/index.ts'
import { END, setOfLengths, temporaryFolder } from './fixtures.ts'

function lengths(seed: string, count: number, longest: number): number[] {
  const random = new Random(seed)
  return Array.from({ length: count }, () => 1 + random.int(longest))
}

async function threeDomains(): Promise<Record<string, ShardSet>> {
  const dir = await temporaryFolder()
  return {
    prose: await setOfLengths(dir, 'prose', lengths('prose', 200, 90)),
    code: await setOfLengths(dir, 'code', lengths('code', 60, 300)),
    maths: await setOfLengths(dir, 'maths', lengths('maths', 30, 40)),
  }
}

const shape = { batchSize: 4, sequenceLength: 64 }

/** Rows of a batch with their tokens, read back from the sets by lineage. */
function* rowsOf(batch: TokenBatch) {
  for (const [i, row] of batch.rows.entries()) {
    const cut = (values: Int32Array) => [
      ...values.subarray(i * batch.sequenceLength, (i + 1) * batch.sequenceLength),
    ]
    yield { row, tokens: cut(batch.tokens), targets: cut(batch.targets), segments: cut(batch.segments) }
  }
}

describe('a batch', () => {
  test('predicts each token from its own document only, and nothing behind a document’s end', async () => {
    const sets = await threeDomains()
    const sampler = new Sampler({ sets, weights: { prose: 2, code: 1, maths: 1 }, ...shape, seed: 5 })
    for (let n = 0; n < 60; n++) {
      for (const { row, tokens, targets, segments } of rowsOf(sampler.next())) {
        const set = sets[row.domain]
        // The slow way: token by token, with the document of each looked up on the disk.
        const stream: { token: number; start: number; last: boolean }[] = []
        for (const piece of row.pieces) {
          const values = new Int32Array(piece.end - piece.start)
          set.read(piece.start, piece.end, values)
          const { start, end } = set.documentAt(piece.start)
          for (const [i, token] of values.entries())
            stream.push({ token, start, last: piece.start + i === end - 1 })
        }
        expect(stream.length).toBe(shape.sequenceLength + 1)
        expect(row.end - row.start).toBe(stream.length)
        let segment = 0
        for (let i = 0; i < shape.sequenceLength; i++) {
          expect(tokens[i]).toBe(stream[i].token)
          expect(segments[i]).toBe(segment)
          expect(targets[i]).toBe(stream[i].last ? -1 : stream[i + 1].token)
          if (stream[i].last) segment++
        }
      }
    }
  })

  test('every token but a document’s first is predicted exactly once in an epoch, and no document comes twice', async () => {
    const dir = await temporaryFolder()
    const sizes = lengths('once', 150, 200)
    const set = await setOfLengths(dir, 'prose', sizes)
    for (const sequenceLength of [1, 2, 7, 64, 1000]) {
      const options = {
        weights: { prose: 1 },
        batchSize: 1,
        sequenceLength,
        seed: 3,
        epochCaps: { prose: 1 },
      }
      const sampler = new Sampler({ sets: { prose: set }, ...options })
      const predicted = new Map<number, number>()
      let ends = 0
      while (sampler.remainingTokens() > 1) {
        const { targets } = sampler.next()
        for (const target of targets) {
          if (target === END) ends++
          else if (target > 0) predicted.set(target, (predicted.get(target) ?? 0) + 1)
        }
      }
      // Tokens of a document are numbered on; its first one is never a target.
      const expected = new Set<number>()
      let next = 1
      for (const size of sizes) {
        for (let i = 0; i < size - 1; i++, next++) if (i > 0) expected.add(next)
      }
      expect(new Set(predicted.keys())).toEqual(expected)
      expect([...predicted.values()].every((times) => times === 1)).toBe(true)
      expect(ends).toBe(sizes.filter((size) => size > 1).length)
      // One token alone can be left: it predicts nothing.
      expect(set.tokens - sampler.consumed().prose.tokens).toBeLessThanOrEqual(1)
    }
  })

  test('each epoch has an order of its own, the same for the same seed and another for another', async () => {
    const dir = await temporaryFolder()
    const set = await setOfLengths(
      dir,
      'prose',
      Array.from({ length: 64 }, () => 8),
    )
    const orders = (seed: number): number[][] => {
      const sampler = new Sampler({
        sets: { prose: set },
        weights: { prose: 1 },
        batchSize: 1,
        sequenceLength: 7,
        seed,
      })
      return [0, 1].map(() => Array.from({ length: 64 }, () => sampler.next().rows[0].pieces[0].start / 8))
    }
    const [first, second] = orders(1)
    const all = Array.from({ length: 64 }, (_, i) => i)
    expect(first.toSorted((a, b) => a - b)).toEqual(all)
    expect(second.toSorted((a, b) => a - b)).toEqual(all)
    expect(second).not.toEqual(first)
    expect(orders(1)).toEqual([first, second])
    expect(orders(2)[0]).not.toEqual(first)
  })
})

describe('a mixture', () => {
  test('gives each domain its share of the tokens', async () => {
    const sets = await threeDomains()
    const weights = { prose: 0.62, code: 0.3, maths: 0.08 }
    const sampler = new Sampler({ sets, weights, ...shape, seed: 1 })
    for (let n = 0; n < 250; n++) sampler.next()
    const consumed = sampler.consumed()
    const total = Object.values(consumed).reduce((sum, { tokens }) => sum + tokens, 0)
    for (const [domain, weight] of Object.entries(weights)) {
      expect(Math.abs(consumed[domain].tokens / total - weight)).toBeLessThan(0.005)
      expect(consumed[domain].epochs).toBeCloseTo(consumed[domain].tokens / sets[domain].tokens)
    }
  })

  test('a domain at its cap leaves its share to the others in proportion, and is not read again', async () => {
    const sets = await threeDomains()
    const options = { weights: { prose: 0.5, code: 0.25, maths: 0.25 }, epochCaps: { maths: 1.5 } }
    const sampler = new Sampler({ sets, ...options, ...shape, seed: 1 })
    for (let n = 0; n < 200; n++) sampler.next()
    const { prose, code, maths } = sampler.consumed()
    expect(maths.epochs).toBeLessThanOrEqual(1.5)
    expect(maths.epochs).toBeGreaterThan(1.49)
    expect(prose.tokens / code.tokens).toBeCloseTo(2, 1)
  })

  test('when all are at their caps it says so and stands where it stood', async () => {
    const sets = await threeDomains()
    const epochCaps = { prose: 1, code: 0.5, maths: 2 }
    const sampler = new Sampler({ sets, weights: { prose: 1, code: 1 }, ...shape, seed: 1, epochCaps })
    let state = sampler.state()
    const draw = () => {
      while (true) {
        state = sampler.state()
        sampler.next()
      }
    }
    expect(draw).toThrow(/reached their caps: prose .* epochs, code 0\.\d+ epochs/)
    expect(sampler.state()).toEqual(state)
    sampler.setWeights({ maths: 1 })
    expect(sampler.next().rows.every((row) => row.domain === 'maths')).toBe(true)
  })

  test('the next stage takes new weights and goes on in the same documents', async () => {
    const sets = await threeDomains()
    const sampler = new Sampler({ sets, weights: { prose: 1 }, ...shape, seed: 1 })
    for (let n = 0; n < 5; n++) sampler.next()
    const before = sampler.consumed().prose.tokens
    sampler.setWeights({ prose: 0.5, code: 0.5 })
    const rows = [sampler.next(), sampler.next()].flatMap((batch) => batch.rows)
    expect(rows.filter((row) => row.domain === 'code').length).toBe(4)
    expect(rows.find((row) => row.domain === 'prose')?.start).toBe(before)
  })

  test('mistakes are named: unknown domains, weights without a sum, impossible numbers', async () => {
    const sets = await threeDomains()
    const make = (more: object) => () =>
      new Sampler({ sets, weights: { prose: 1 }, ...shape, seed: 1, ...more })
    expect(make({ weights: { poems: 1 } })).toThrow(/Unknown domain poems in the weights/)
    expect(make({ epochCaps: { poems: 1 } })).toThrow(/Unknown domain poems in the epoch caps/)
    expect(make({ weights: {} })).toThrow(/sum to 0/)
    expect(make({ weights: { prose: 0 } })).toThrow(/sum to 0/)
    expect(make({ weights: { prose: -1 } })).toThrow(/weight of prose is -1/)
    expect(make({ weights: { prose: Number.NaN } })).toThrow(/weight of prose is NaN/)
    expect(make({ epochCaps: { prose: -2 } })).toThrow(/cap on epochs of prose is -2/)
    expect(make({ batchSize: 0 })).toThrow(/batchSize is 0/)
    const empty = await setOfLengths(await temporaryFolder(), 'empty', [])
    expect(() => new Sampler({ sets: { empty }, weights: { empty: 1 }, ...shape, seed: 1 })).toThrow(
      /no tokens/,
    )
  })
})

describe('a saved state', () => {
  test('goes on with the very same batches, through epochs, caps and stages', async () => {
    const sets = await threeDomains()
    const options = {
      sets,
      weights: { prose: 3, code: 2, maths: 1 },
      ...shape,
      seed: 9,
      epochCaps: { maths: 3 },
    }
    const undisturbed = new Sampler(options)
    const random = new Random('interruptions')
    let interrupted = new Sampler(options)
    for (let n = 0; n < 150; n++) {
      if (random.int(4) === 0) {
        const saved = JSON.stringify(interrupted.state())
        expect(saved.length).toBeLessThan(1000)
        interrupted = new Sampler({ ...options, weights: { code: 1 }, epochCaps: {} })
        interrupted.restore(JSON.parse(saved) as SamplerState)
      }
      if (n === 100) {
        for (const sampler of [undisturbed, interrupted])
          sampler.setWeights({ prose: 1, maths: 1 }, { maths: 8 })
      }
      expect(interrupted.next()).toEqual(undisturbed.next())
    }
    expect(interrupted.consumed()).toEqual(undisturbed.consumed())
  })

  test('of other shards, another seed or no state at all is refused', async () => {
    const sets = await threeDomains()
    const options = { sets, weights: { prose: 1 }, ...shape, seed: 9 }
    const sampler = new Sampler(options)
    const state = sampler.state()
    const other = { ...sets, maths: sets.code }
    expect(() => new Sampler({ ...options, seed: 8 }).restore(state)).toThrow(/its seed is 9, not 8/)
    expect(() => new Sampler({ ...options, sets: other }).restore(state)).toThrow(/maths had \d+ tokens/)
    expect(() => new Sampler({ ...options, sets: { prose: sets.prose } }).restore(state)).toThrow(
      /its domains are/,
    )
    expect(() => sampler.restore({} as SamplerState)).toThrow(/Not a state of a sampler/)
    const outside = structuredClone(state)
    outside.domains.prose.place = 100_000
    expect(() => sampler.restore(outside)).toThrow(/outside its documents/)
  })
})
