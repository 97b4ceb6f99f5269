import { SmolforgeError } from '../errors.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../progress/progress.ts'
import { Random } from '../random/random.ts'
import type { Interval } from '../random/wilson.ts'
import type { EvaluatedModel } from './model.ts'
import { bootstrapInterval } from './statistics.ts'

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
  /** Tokens in one window; default and upper bound is the model's `maxPositionEmbeddings`. */
  contextTokens?: number
  /** Seed of the bootstrap. */
  seed?: number
  onProgress?: Progress
  stop?: StopSignal
}

/** Windows handed to the model in one call. */
const WINDOWS_PER_CALL = 16

/**
 * Bits that the model needs for each byte of the documents: the sum of -log2 p over all tokens, divided by the
 * UTF-8 bytes. The first token is predicted from the tokenizer's begin token, or where it
 * puts none from `<|endoftext|>`, as in training; documents longer than the context
 * are read in windows that overlap by half, so that each token is scored once and with at least half a window
 * before it. The number compares with any other code for the same bytes, whatever its tokenizer.
 *
 * @throws SmolforgeError `interrupted` when stopped.
 */
export async function bitsPerByte(
  model: EvaluatedModel,
  documents: readonly { text: string }[],
  options: BitsPerByteOptions = {},
): Promise<BitsPerByte> {
  const { stop = neverStop, onProgress = noProgress } = options
  const limit = model.llama.config.maxPositionEmbeddings
  const contextTokens = Math.min(options.contextTokens ?? limit, limit)
  if (contextTokens < 4)
    throw new RangeError(`a context of ${contextTokens} tokens is too short to score with`)
  const encoded = model.tokenizer.encodeBatch(documents.map((document) => document.text))
  const losses: DocumentLoss[] = documents.map((document, i) => ({
    bits: 0,
    bytes: Buffer.byteLength(document.text),
    tokens: encoded[i].length,
  }))
  const { beginIds, endOfTextId } = model.tokenizer
  const before = beginIds.length > 0 ? beginIds : [endOfTextId]
  const windows = encoded.flatMap((ids, document) =>
    documentWindows(ids, before, contextTokens).map((window) => ({
      document,
      ...window,
    })),
  )
  let done = 0
  const total = losses.reduce((sum, loss) => sum + loss.tokens, 0)
  for (let at = 0; at < windows.length; at += WINDOWS_PER_CALL) {
    if (stop.stopped) throw new SmolforgeError('interrupted', 'The evaluation was stopped')
    const batch = windows.slice(at, at + WINDOWS_PER_CALL)
    const logProbs = model.tokenLogProbs(batch.map((window) => window.ids))
    for (const [i, window] of batch.entries()) {
      const scored = logProbs[i].subarray(window.from)
      losses[window.document].bits -= scored.reduce((sum, value) => sum + value, 0) / Math.LN2
      done += scored.length
    }
    onProgress({ done, total, unit: 'tokens' })
    await yieldToEvents()
  }
  const interval = documentsInterval(losses, options.seed ?? 0)
  return { ...ratio(losses), ...interval, tokens: total, documents: losses }
}

/** The held-out bits per byte of each domain: the lines of `heldout.json`, and per document for comparisons. */
export async function heldOutScores(
  model: EvaluatedModel,
  domains: Readonly<Record<string, readonly { text: string }[]>>,
  options: BitsPerByteOptions = {},
): Promise<(HeldOutScore & { documents: DocumentLoss[] })[]> {
  const scores: (HeldOutScore & { documents: DocumentLoss[] })[] = []
  for (const [domain, documents] of Object.entries(domains)) {
    const { value, ...rest } = await bitsPerByte(model, documents, {
      ...options,
      onProgress: (event) => options.onProgress?.({ ...event, message: domain }),
    })
    scores.push({ domain, bitsPerByte: value, ...rest })
  }
  return scores
}

/**
 * Cuts `before + ids` into windows of at most `contextTokens` that overlap by half; `from` is the first of
 * a window's log-probabilities (which start at its second token) that no earlier window gave.
 */
function documentWindows(
  ids: Uint32Array,
  before: readonly number[],
  contextTokens: number,
): { ids: Uint32Array; from: number }[] {
  const sequence = new Uint32Array(before.length + ids.length)
  sequence.set(before)
  sequence.set(ids, before.length)
  const stride = Math.floor(contextTokens / 2)
  const windows: { ids: Uint32Array; from: number }[] = []
  for (let start = 0, scored = before.length; scored < sequence.length; start += stride) {
    const end = Math.min(start + contextTokens, sequence.length)
    windows.push({ ids: sequence.subarray(start, end), from: scored - start - 1 })
    scored = end
  }
  return windows
}

function documentsInterval(losses: readonly DocumentLoss[], seed: number): Interval {
  const resample = (indices: Uint32Array) => {
    let bits = 0
    let bytes = 0
    for (const i of indices) {
      bits += losses[i].bits
      bytes += losses[i].bytes
    }
    return bytes === 0 ? 0 : bits / bytes
  }
  return bootstrapInterval(losses.length, resample, Random.derive(seed, 'bits per byte'))
}

function ratio(losses: readonly DocumentLoss[]): { value: number; bytes: number } {
  const bytes = losses.reduce((sum, loss) => sum + loss.bytes, 0)
  const bits = losses.reduce((sum, loss) => sum + loss.bits, 0)
  return { value: bytes === 0 ? 0 : bits / bytes, bytes }
}

/** Lets timers and signals through between two calls of the model. */
function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
