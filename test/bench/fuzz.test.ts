import { describe, expect, it } from 'vitest'
import { fuzz, fuzzedReaders } from '../../bench/fuzz/readers.ts'
import { explainError } from '../../src/errors.ts'
import { Random } from '../../src/random/random.ts'

describe.each(fuzzedReaders)('damaged $name files', (reader) => {
  it('the whole ones are read', () => {
    for (const seed of reader.seeds) expect(() => reader.read(seed)).not.toThrow()
  })

  it('end in a clear error, or are sound, and never crash or hang the reader', () => {
    const { accepted, refused, failures, slowest } = fuzz(reader, 4000, new Random(7))
    const shown = failures.map(({ input, error }) => ({
      error: explainError(error),
      input: Buffer.from(input).toString('base64'),
    }))
    expect(shown).toEqual([])
    expect(accepted + refused).toBe(4000)
    expect(Math.min(accepted, refused)).toBeGreaterThan(100)
    expect(slowest.elapsedMs).toBeLessThan(1000)
  })
})
