import { SmolforgeError } from '../errors.ts'
import { loadAddon } from '../native/addon.ts'
import type { BaselineKernels } from './kernels.ts'

/** The tokens of documents, one array each, in batches: of `encodeBatch`, or read back from shards. */
export type TokenizedDocuments = AsyncIterable<readonly Uint32Array[]> | Iterable<readonly Uint32Array[]>

export interface KneserNeyOptions {
  vocabSize: number
  endOfTextId: number
  order?: number
  /** Whole documents are taken until this many training tokens (16 bytes of memory each); default 24 million. */
  maxTrainingTokens?: number
}

export interface KneserNeyBits {
  /** Sum of -log2 p over the tokens of each held-out document. */
  bits: Float64Array
  order: number
  trainingTokens: number
}

/**
 * Bits that an interpolated modified Kneser-Ney model of the training tokens (order 5 unless said) needs for each
 * held-out document, given the tokens before in the same document (Chen and Goodman 1999).
 *
 * @throws SmolforgeError `usage` for a vocabulary over 65,536.
 */
export async function kneserNey(
  training: TokenizedDocuments,
  heldOut: readonly Uint32Array[],
  options: KneserNeyOptions,
): Promise<KneserNeyBits> {
  const { vocabSize, endOfTextId, order = 5, maxTrainingTokens = 24_000_000 } = options
  if (vocabSize > 65536)
    throw new SmolforgeError('usage', `The Kneser-Ney baseline takes ids of 16 bits, not ${vocabSize} tokens`)
  const trained = new TokenStore()
  for await (const batch of training) {
    for (const document of batch) {
      if (trained.size + document.length > maxTrainingTokens) continue
      trained.add(document)
    }
  }
  const asked = new TokenStore()
  for (const document of heldOut) asked.add(document)
  const perToken = await loadAddon<BaselineKernels>().kneserNey(
    trained.tokens(),
    trained.lengths(),
    asked.tokens(),
    asked.lengths(),
    order,
    vocabSize,
    endOfTextId,
  )
  return { bits: sumByDocument(perToken, asked.lengths()), order, trainingTokens: trained.size }
}

/** Tokens of many documents end to end in 16 bits, in memory that grows as needed. */
class TokenStore {
  #tokens = new Uint16Array(1 << 16)
  readonly #lengths: number[] = []
  size = 0

  add(document: Uint32Array): void {
    if (this.size + document.length > this.#tokens.length) {
      const larger = new Uint16Array(Math.max(2 * this.#tokens.length, this.size + document.length))
      larger.set(this.#tokens.subarray(0, this.size))
      this.#tokens = larger
    }
    this.#tokens.set(document, this.size)
    this.size += document.length
    this.#lengths.push(document.length)
  }

  tokens(): Uint16Array {
    return this.#tokens.subarray(0, this.size)
  }

  lengths(): Uint32Array {
    return Uint32Array.from(this.#lengths)
  }
}

function sumByDocument(perToken: Float64Array, lengths: Uint32Array): Float64Array {
  let at = 0
  return Float64Array.from(lengths, (length) => {
    const bits = perToken.subarray(at, at + length).reduce((sum, value) => sum + value, 0)
    at += length
    return bits
  })
}
