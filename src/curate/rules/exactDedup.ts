import { kernels } from '../kernels.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

/**
 * Drops a document whose words are those of an earlier one: a 128-bit hash of the text in lower case without
 * punctuation and spacing. The verdict's value is 1 and its detail names the kept document (`keptId`).
 * The rule remembers what it has seen: make a new one for each stream.
 */
export function exactDedup(): Rule {
  const firstIds = new Map<bigint, string>()
  return {
    name: 'exactDedup',
    judge(batch) {
      const hashes = kernels().textHashes(batch.map(({ text }) => text))
      return batch.map(({ id }, i): Verdict => {
        const hash = (hashes[2 * i] << 64n) | hashes[2 * i + 1]
        const keptId = firstIds.get(hash)
        if (keptId !== undefined) return { keep: false, rule: 'exactDedup', value: 1, detail: { keptId } }
        firstIds.set(hash, id)
        return keep
      })
    },
  }
}
