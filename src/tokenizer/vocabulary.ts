import type { Affixes } from './affixes.ts'
import { tokenOfBytes, writeBytesOfToken } from './byte-level.ts'
import { type PreTokenizerName, preTokenizers, type SplitStep } from './splitting.ts'

/** A token that is found in the text as it is written, before the text is split into words. */
export interface AddedToken {
  id: number
  content: string
  special: boolean
  /** Looked for after the others, in the normalised text that they left over. */
  normalized: boolean
  /** Takes the white space before it. */
  lstrip: boolean
  /** Takes the white space behind it. */
  rstrip: boolean
  /** Only where no letter, digit, mark or underscore touches it. */
  singleWord: boolean
  /** Whether the model's own vocabulary has it too, so that merges may make it. */
  inModel: boolean
}

/** All that decides on ids: what `tokenizer.json` says, with the merges as ids. */
export interface Vocabulary {
  /** By id, in the spelling of byte-level vocabularies; added tokens as they are written. */
  tokens: readonly string[]
  /** (left, right, result) ids by rank, flat. */
  merges: Uint32Array
  addedTokens: readonly AddedToken[]
  /** How texts are split into words. */
  splitSteps: readonly SplitStep[]
  /** Whether texts are brought to Unicode's NFC first. */
  nfc: boolean
  /** A word that is a token becomes that token, whatever the merges say (Llama 3). */
  ignoreMerges: boolean
  /** What stands around the ids of a text when special tokens are asked for. */
  affixes: Affixes
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
  const outside = new Set(vocabulary.addedTokens.filter(({ inModel }) => !inModel).map(({ id }) => id))
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
    if (end === start + 1 && !outside.has(id)) byteIds[bytes[start]] = id
    ends[id] = end
  }
  return { bytes: bytes.subarray(0, end), ends, byteIds }
}

/** (id, flags) of each added token, as the native encoder takes them. */
export function addedTokenFlags(vocabulary: Vocabulary): Uint32Array {
  const flags = vocabulary.addedTokens.map(({ id, normalized, lstrip, rstrip, singleWord }) => [
    id,
    Number(normalized) | (Number(lstrip) << 1) | (Number(rstrip) << 2) | (Number(singleWord) << 3),
  ])
  return Uint32Array.from(flags.flat())
}

/** The tokens that a word becomes whatever the merges say: with `ignoreMerges` all of the model's. */
export function wholeWords(vocabulary: Vocabulary): Uint32Array {
  if (!vocabulary.ignoreMerges) return new Uint32Array(0)
  const outside = new Set(vocabulary.addedTokens.filter(({ inModel }) => !inModel).map(({ id }) => id))
  return Uint32Array.from(vocabulary.tokens.keys()).filter((id) => !outside.has(id))
}

/** A vocabulary from a training result: special tokens first, then the bytes, then one token for each merge. */
export function trainedVocabulary(
  specialTokens: readonly string[],
  preTokenizer: PreTokenizerName,
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
    addedTokens: specialTokens.map((content, id) => ({ ...plainAddedToken, id, content, special: true })),
    splitSteps: preTokenizers[preTokenizer].steps,
    nfc: preTokenizers[preTokenizer].nfc,
    ignoreMerges: false,
    affixes: { before: [], behind: [], json: null },
  }
}

/** The rest of an added token that is found as it is written and nothing more. */
export const plainAddedToken = {
  normalized: false,
  lstrip: false,
  rstrip: false,
  singleWord: false,
  inModel: true,
} as const
