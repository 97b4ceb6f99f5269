import { describe, expect, it } from 'vitest'
import { fuzz, fuzzedReaders } from '../../bench/fuzz/readers.ts'
import { explainError } from '../../src/errors.ts'
import { Random } from '../../src/random/random.ts'

describe.each(fuzzedReaders)('damaged $name files', (reader) => {
  // Whole models and corpora take longer to read than a header.
  const files = ['safetensors', 'gguf'].includes(reader.name) ? 4000 : 1000

  it('the whole ones are read', async () => {
    for (const seed of reader.seeds) await reader.read(seed)
  })

  it('end in a clear error, or are sound, and never crash or hang the reader', async () => {
    const { accepted, refused, failures, slowest } = await fuzz(reader, files, new Random(7))
    const shown = failures.map(({ input, error }) => ({
      error: explainError(error),
      input: Buffer.from(input).toString('base64'),
    }))
    expect(shown).toEqual([])
    expect(accepted + refused).toBe(files)
    // Most damaged pages still are pages.
    expect(Math.min(accepted, refused)).toBeGreaterThan(reader.name === 'html' ? 20 : 100)
    expect(slowest.elapsedMs).toBeLessThan(10_000)
  })
})
