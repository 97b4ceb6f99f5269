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
