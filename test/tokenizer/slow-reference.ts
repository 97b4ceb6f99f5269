import type { Vocabulary } from '../../src/tokenizer/vocabulary.ts'

const PATTERN = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu
// JavaScript's \s has U+FEFF and lacks U+0085; the pattern means White_Space.
const EXACT = new RegExp(
  PATTERN.source.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}'),
  'gu',
)

/** Byte-level BPE as its definition reads: special tokens, digits, pattern, then the best pair again and again. */
export function slowEncode(vocabulary: Vocabulary, text: string): number[] {
  const bytes = byteTokens(vocabulary)
  const ranks = new Map<string, { rank: number; id: number }>()
  for (let i = 0; i < vocabulary.merges.length; i += 3) {
    const [left, right, id] = vocabulary.merges.subarray(i, i + 3)
    ranks.set(`${left} ${right}`, { rank: i / 3, id })
  }
  return splitAddedTokens(vocabulary, text).flatMap((part) => {
    if (typeof part === 'number') return [part]
    return splitWords(part).flatMap((word) =>
      mergeWord(
        [...Buffer.from(word)].map((byte) => bytes[byte]),
        ranks,
      ),
    )
  })
}

export function splitWords(text: string): string[] {
  return text.split(/(\p{N})/u).flatMap((piece) => piece.match(EXACT) ?? [])
}

function mergeWord(ids: number[], ranks: ReadonlyMap<string, { rank: number; id: number }>): number[] {
  while (true) {
    let best = { rank: Number.POSITIVE_INFINITY, id: 0, at: -1 }
    for (let at = 0; at + 1 < ids.length; at++) {
      const merge = ranks.get(`${ids[at]} ${ids[at + 1]}`)
      if (merge && merge.rank < best.rank) best = { ...merge, at }
    }
    if (best.at < 0) return ids
    ids.splice(best.at, 2, best.id)
  }
}

function splitAddedTokens(vocabulary: Vocabulary, text: string): (string | number)[] {
  const longestFirst = vocabulary.addedTokens.toSorted((a, b) => b.content.length - a.content.length)
  const parts: (string | number)[] = []
  let from = 0
  for (let at = 0; at < text.length; ) {
    const token = longestFirst.find(({ content }) => text.startsWith(content, at))
    if (!token) {
      at++
      continue
    }
    parts.push(text.slice(from, at), token.id)
    at += token.content.length
    from = at
  }
  return [...parts, text.slice(from)]
}

/** GPT-2's `bytes_to_unicode`, written out anew. */
function byteTokens(vocabulary: Vocabulary): number[] {
  const printable = new Set<number>()
  for (const [low, high] of [
    [0x21, 0x7e],
    [0xa1, 0xac],
    [0xae, 0xff],
  ]) {
    for (let code = low; code <= high; code++) printable.add(code)
  }
  let next = 256
  return Array.from({ length: 256 }, (_, byte) =>
    vocabulary.tokens.indexOf(String.fromCharCode(printable.has(byte) ? byte : next++)),
  )
}
