import { tokenOfBytes, writeBytesOfToken } from './byte-level.ts'

/** A token that is found in the text as it is written, before the text is split into words. */
export interface AddedToken {
  id: number
  content: string
  special: boolean
  /** In Hugging Face's files: looked for after the others, in what they left over. */
  normalized: boolean
}

/** All that decides on ids: what `tokenizer.json` says, with the merges as ids. */
export interface Vocabulary {
  /** By id, in the spelling of byte-level vocabularies; added tokens as they are written. */
  tokens: readonly string[]
  /** (left, right, result) ids by rank, flat. */
  merges: Uint32Array
  addedTokens: readonly AddedToken[]
  /** Every digit is a word of its own (SmolLM2), or digits stay in the words of GPT-2's pattern. */
  splitDigits: boolean
  /** Stands for a byte that the vocabulary lacks; without it such bytes are left out, as Hugging Face does. */
  unknownToken?: string
}

/** The bytes of all tokens end to end, and the id of every byte. */
export function tokenTable(vocabulary: Vocabulary): {
  bytes: Uint8Array
  ends: Uint32Array
  byteIds: Int32Array
} {
  const added = new Set(vocabulary.addedTokens.map((token) => token.id))
  const ends = new Uint32Array(vocabulary.tokens.length)
  const unknown =
    vocabulary.unknownToken === undefined ? -1 : vocabulary.tokens.indexOf(vocabulary.unknownToken)
  const byteIds = new Int32Array(256).fill(unknown)
  // A character is at most three bytes of UTF-8, and of a byte-level token one.
  const bytes = Buffer.alloc(3 * vocabulary.tokens.reduce((sum, token) => sum + token.length, 0))
  let end = 0
  for (let id = 0; id < vocabulary.tokens.length; id++) {
    const token = vocabulary.tokens[id]
    const start = end
    const plain = !added.has(id) && writeBytesOfToken(token, bytes, start)
    end += plain ? token.length : bytes.write(token, start)
    if (end === start + 1 && !added.has(id)) byteIds[bytes[start]] = id
    ends[id] = end
  }
  return { bytes: bytes.subarray(0, end), ends, byteIds }
}

/** A vocabulary from a training result: special tokens first, then the bytes, then one token for each merge. */
export function trainedVocabulary(
  specialTokens: readonly string[],
  result: { tokenBytes: Uint8Array; tokenEnds: Uint32Array; merges: Uint32Array },
): Vocabulary {
  const tokens: string[] = []
  for (let id = 0; id < result.tokenEnds.length; id++) {
    const bytes = result.tokenBytes.subarray(id === 0 ? 0 : result.tokenEnds[id - 1], result.tokenEnds[id])
    tokens.push(id < specialTokens.length ? specialTokens[id] : tokenOfBytes(bytes))
  }
  return {
    tokens,
    merges: result.merges,
    addedTokens: specialTokens.map((content, id) => ({ id, content, special: true, normalized: false })),
    splitDigits: true,
  }
}
