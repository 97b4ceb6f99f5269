import { describe, expect, test } from 'vitest'
import { Random } from '../../src/random/random.ts'
import { packBestFit } from '../../src/shards/bestFit.ts'
import { Sampler, type SamplerState, type ShardSet } from '../../src/shards/index.ts'
import { setOfLengths, temporaryFolder } from './fixtures.ts'

/** Mostly short documents and some long ones, as texts are. */
function lengths(random: Random, count: number, longest: number): number[] {
  return Array.from({ length: count }, () =>
    Math.max(1, Math.round(longest ** random.float() * (random.int(8) === 0 ? 3 : 1))),
  )
}

/** The definition: piece by piece, the longest first, into the row with the least room that is enough. */
function slowBestFit(sizes: readonly number[], sequenceLength: number): number {
  const room: number[] = []
  const pieces = sizes.flatMap((size) => [
    ...Array.from({ length: Math.floor(size / sequenceLength) }, () => sequenceLength),
    ...(size % sequenceLength > 0 ? [size % sequenceLength] : []),
  ])
  for (const piece of pieces.toSorted((a, b) => b - a)) {
    let best = -1
    for (const [row, left] of room.entries()) {
      if (left >= piece && (best < 0 || left < room[best])) best = row
    }
    if (best < 0) room.push(sequenceLength - piece)
    else room[best] -= piece
  }
  return room.length
}

async function sets(): Promise<Record<string, ShardSet>> {
  const dir = await temporaryFolder()
  const random = new Random('packing')
  return {
    prose: await setOfLengths(dir, 'prose', lengths(random, 180, 90)),
    code: await setOfLengths(dir, 'code', lengths(random, 60, 200)),
    maths: await setOfLengths(dir, 'maths', lengths(random, 40, 40)),
  }
}

test('packs as the definition does, each token of each document once, into no row more than it holds', () => {
  const random = new Random('best fit')
  for (let round = 0; round < 60; round++) {
    const sequenceLength = random.between(1, 130)
    const sizes = lengths(random, random.int(200), 3 * sequenceLength)
    const order = random.shuffle(Uint32Array.from(sizes.keys()))
    const packing = packBestFit((document) => sizes[document], order, sequenceLength)
    const rows = packing.rowStarts.length - 1
    expect(rows).toBe(slowBestFit(sizes, sequenceLength))
    const seen = new Set<string>()
    for (let row = 0; row < rows; row++) {
      let used = 0
      for (const piece of packing.rowPieces.subarray(packing.rowStarts[row], packing.rowStarts[row + 1])) {
        const [document, offset] = [packing.documents[piece], packing.offsets[piece]]
        seen.add(`${document}:${offset}`)
        used += Math.min(sequenceLength, sizes[document] - offset)
      }
      expect(used).toBeLessThanOrEqual(sequenceLength)
      expect(used).toBeGreaterThan(0)
    }
    expect(seen.size).toBe(sizes.reduce((sum, size) => sum + Math.ceil(size / sequenceLength), 0))
  }
})

test('documents as texts have them leave under two in a hundred places empty, and only long ones are cut', () => {
  const random = new Random('padding')
  const sizes = lengths(random, 20_000, 1500)
  const packing = packBestFit((document) => sizes[document], Uint32Array.from(sizes.keys()), 2048)
  const tokens = sizes.reduce((sum, size) => sum + size, 0)
  expect(1 - tokens / ((packing.rowStarts.length - 1) * 2048)).toBeLessThan(0.02)
  const cut = new Set(packing.documents.filter((_, piece) => packing.offsets[piece] > 0))
  expect(cut.size).toBe(sizes.filter((size) => size > 2048).length)
})

describe('a sampler of best-fit rows', () => {
  const options = { batchSize: 1, sequenceLength: 64, seed: 7, packing: 'best-fit' as const }

  test('has every token as an input once an epoch, every one but a document’s first as a target', async () => {
    const { prose } = await sets()
    const sampler = new Sampler({
      ...options,
      sets: { prose },
      weights: { prose: 1 },
      epochCaps: { prose: 2 },
    })
    for (let epoch = 0; epoch < 2; epoch++) {
      const inputs = new Map<number, number>()
      const targets = new Map<number, number>()
      let ends = 0
      while (sampler.consumed().prose.epochs < epoch + 1) {
        const batch = sampler.next()
        const used = batch.rows[0].pieces.reduce((sum, { start, end }) => sum + end - start, 0)
        for (let i = 0; i < options.sequenceLength; i++) {
          const [token, target] = [batch.tokens[i], batch.targets[i]]
          if (i >= used) expect(target).toBe(-1)
          else if (token > 0) inputs.set(token, (inputs.get(token) ?? 0) + 1)
          else ends++
          if (target > 0) targets.set(target, (targets.get(target) ?? 0) + 1)
          // What is predicted stands next in the row and in the same segment, or the row ends there.
          const next = i + 1 < used && batch.segments[i + 1] === batch.segments[i]
          if (next) expect(target).toBe(batch.tokens[i + 1])
        }
      }
      expect([...inputs.values()].every((times) => times === 1)).toBe(true)
      expect([...targets.values()].every((times) => times === 1)).toBe(true)
      expect(inputs.size + ends).toBe(prose.tokens)
      let firsts = 0
      for (let i = 0; i < prose.documents; i++) if (prose.lengthOf(i) > 1) firsts++
      expect(targets.size).toBe(inputs.size - firsts)
    }
    expect(() => sampler.next()).toThrow(/reached their caps/)
  })

  test('cuts no document that fits a row', async () => {
    const { code } = await sets()
    const sampler = new Sampler({ ...options, sets: { code }, weights: { code: 1 } })
    while (sampler.consumed().code.epochs < 1) {
      for (const piece of sampler.next().rows[0].pieces) {
        const document = code.documentAt(piece.start)
        if (document.end - document.start <= options.sequenceLength) {
          expect(piece).toEqual({ start: document.start, end: document.end })
        }
      }
    }
  })

  test('keeps the shares of the tokens, padding not counted', async () => {
    const all = await sets()
    const weights = { prose: 0.6, code: 0.3, maths: 0.1 }
    const sampler = new Sampler({ ...options, sets: all, weights })
    for (let n = 0; n < 2000; n++) sampler.next()
    const consumed = sampler.consumed()
    const total = Object.values(consumed).reduce((sum, { tokens }) => sum + tokens, 0)
    for (const [domain, weight] of Object.entries(weights)) {
      expect(Math.abs(consumed[domain].tokens - weight * total)).toBeLessThanOrEqual(
        2 * options.sequenceLength,
      )
    }
  })

  test('goes on from any point with the very same rows, and only in a sampler of its own kind', async () => {
    const all = await sets()
    const make = (more: object = {}) =>
      new Sampler({
        ...options,
        sets: all,
        weights: { prose: 2, code: 1, maths: 1 },
        epochCaps: { maths: 2.5 },
        ...more,
      })
    const undisturbed = make()
    const random = new Random('interruptions')
    let interrupted = make()
    for (let n = 0; n < 300; n++) {
      if (random.int(5) === 0) {
        const saved = JSON.parse(JSON.stringify(interrupted.state())) as SamplerState
        interrupted = make()
        interrupted.restore(saved)
      }
      expect(interrupted.next()).toEqual(undisturbed.next())
    }
    const state = undisturbed.state()
    expect(() => make({ packing: 'concatenate' }).restore(state)).toThrow(/its packing is best-fit/)
    expect(() => make({ sequenceLength: 32 }).restore(state)).toThrow(/its rows have 64 tokens/)
    const outside = structuredClone(state)
    outside.domains.prose.place = 100_000
    expect(() => make().restore(outside)).toThrow(/outside its documents/)
  })
})
