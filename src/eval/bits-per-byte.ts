import type { EvaluatedModel } from './model.ts'

/** One held-out document's share of the sum. */
export interface DocumentLoss {
  bits: number
  bytes: number
  tokens: number
}

/** Bits per UTF-8 byte over a set of documents, with a 95 % interval from a bootstrap over documents. */
export interface BitsPerByte {
  value: number
  low: number
  high: number
  bytes: number
  tokens: number
  /** In the order given: what paired comparisons need. */
  documents: DocumentLoss[]
}

/** A line of `heldout.json`. */
export interface HeldOutScore {
  domain: string
  bitsPerByte: number
  low: number
  high: number
  bytes: number
  tokens: number
}

export interface BitsPerByteOptions {
  /** Tokens in one window; default the model's context, at most `maxPositionEmbeddings`. */
  contextTokens?: number
  /** Seed of the bootstrap. */
  seed?: number
  onProgress?: import('../progress/progress.ts').Progress
  stop?: import('../progress/progress.ts').StopSignal
}

export async function bitsPerByte(
  _model: EvaluatedModel,
  _documents: readonly { text: string }[],
  _options: BitsPerByteOptions = {},
): Promise<BitsPerByte> {
  throw new Error('not there yet')
}
