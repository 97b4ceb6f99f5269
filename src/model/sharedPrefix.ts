import { inference, tensor } from '../tensor/index.ts'
import { KeyValueCache } from './cache.ts'
import type { Llama } from './llama.ts'

/** A text of which the tokens from `from` on are to be scored. */
export interface ScoredSequence {
  ids: Uint32Array
  /** At least 1: the first token has nothing before it. */
  from: number
}

/** Sequences that begin with the same `length` tokens, none of which is scored. */
export interface SharedPrefix<Sequence> {
  length: number
  members: Sequence[]
}

/** A shorter one is cheaper to read again than to keep. */
const SHORTEST = 8

/**
 * Neighbours that begin alike, as the choices of one question do; a sequence that shares nothing is alone, with length
 * 0. What a group shares ends before the token whose successor is the first one scored.
 */
export function sharedPrefixes<Sequence extends ScoredSequence>(
  sequences: readonly Sequence[],
): SharedPrefix<Sequence>[] {
  const groups: SharedPrefix<Sequence>[] = []
  for (const sequence of sequences) {
    const group = groups.at(-1)
    if (group !== undefined) {
      const [first] = group.members
      const common = commonLength(first, sequence)
      const before = group.members.length > 1 ? group.length : first.from - 1
      // A group is not made shorter by half for one that hardly belongs to it.
      if (common >= Math.max(SHORTEST, before / 2)) {
        group.length = Math.min(before, common)
        group.members.push(sequence)
        continue
      }
    }
    groups.push({ length: 0, members: [sequence] })
  }
  return groups
}

function commonLength(a: ScoredSequence, b: ScoredSequence): number {
  const most = Math.min(a.from, b.from, a.ids.length, b.ids.length) - 1
  let length = 0
  while (length < most && a.ids[length] === b.ids[length]) length++
  return length
}

/**
 * The keys and values of what each group shares, with room for `more` positions after it. The caller frees them; texts
 * of about one length should come together.
 */
export function readPrefixes(llama: Llama, prefixes: readonly Uint32Array[], more: number): KeyValueCache[] {
  const width = Math.max(...prefixes.map(({ length }) => length))
  const tokens = new Int32Array(prefixes.length * width)
  for (const [row, ids] of prefixes.entries()) tokens.set(ids, row * width)
  const caches = prefixes.map(
    ({ length }) => new KeyValueCache(llama.config, 1, Math.max(width, length + more)),
  )
  for (const [row, cache] of caches.entries()) cache.reserve(Math.max(width, prefixes[row].length + more))
  inference(() => llama.hidden(tensor(tokens, [prefixes.length, width]), { caches }))
  // What the padding wrote is written over by what comes after.
  for (const [row, cache] of caches.entries()) cache.truncate(prefixes[row].length)
  return caches
}
