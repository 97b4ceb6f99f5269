import { SmolforgeError } from '../errors.ts'
import { gatherRows, inference, reshape, tensor, tokenLogProbs } from '../tensor/index.ts'
import type { Llama } from './llama.ts'

/** A text of which the tokens from `from` on are to be scored. */
export interface ScoredSequence {
  ids: Uint32Array
  /** At least 1: the first token has nothing before it. */
  from: number
}

/** About this many tokens go through the model at a time, padding included. */
const BATCH_TOKENS = 8192

/**
 * log p of each token from `from` on, in nats, given all tokens before it. Texts of about one length share a batch,
 * padded on the right, which changes nothing for the tokens before the padding.
 *
 * @throws SmolforgeError `input` for a text longer than the model's positions, or a token that it does not have.
 */
export function scoreSequences(llama: Llama, sequences: readonly ScoredSequence[]): Float32Array[] {
  for (const { ids } of sequences) checkIds(llama, ids)
  const results = sequences.map(({ ids, from }) => new Float32Array(Math.max(0, ids.length - from)))
  const order = sequences
    .map((_, index) => index)
    .filter((index) => results[index].length > 0)
    .sort((a, b) => sequences[a].ids.length - sequences[b].ids.length || a - b)
  for (const batch of batches(order, (index) => sequences[index].ids.length - 1)) {
    const scores = scoreBatch(
      llama,
      batch.map((index) => sequences[index]),
    )
    let at = 0
    for (const index of batch) {
      const result = results[index]
      result.set(scores.subarray(at, at + result.length))
      at += result.length
    }
  }
  return results
}

/** Refuses what the model cannot take: too long, or ids outside of its vocabulary. */
export function checkIds(llama: Llama, ids: Uint32Array, room = 0): void {
  const { maxPositionEmbeddings, vocabSize } = llama.config
  // The last token of a scored text is predicted, never read: it needs no position.
  if (ids.length + room - 1 > maxPositionEmbeddings) {
    throw new SmolforgeError(
      'input',
      `The text has ${ids.length} tokens, the model reads at most ${maxPositionEmbeddings}`,
      { hint: 'Split or shorten the text.' },
    )
  }
  const strange = ids.find((id) => id >= vocabSize)
  if (strange !== undefined) {
    throw new SmolforgeError('input', `The token ${strange} is outside of the vocabulary of ${vocabSize}`, {
      hint: 'The tokenizer does not belong to this model.',
    })
  }
}

function* batches(order: readonly number[], lengthOf: (index: number) => number): Generator<number[]> {
  let batch: number[] = []
  for (const index of order) {
    if ((batch.length + 1) * lengthOf(index) > BATCH_TOKENS && batch.length > 0) {
      yield batch
      batch = []
    }
    batch.push(index)
  }
  if (batch.length > 0) yield batch
}

/** The scores of all sequences one after the other. */
function scoreBatch(llama: Llama, batch: readonly ScoredSequence[]): Float32Array {
  const width = Math.max(...batch.map(({ ids }) => ids.length)) - 1
  const tokens = new Int32Array(batch.length * width)
  const wanted = batch.reduce((sum, { ids, from }) => sum + ids.length - from, 0)
  const places = new Int32Array(wanted)
  const targets = new Int32Array(wanted)
  let at = 0
  for (const [row, { ids, from }] of batch.entries()) {
    tokens.set(ids.subarray(0, -1), row * width)
    targets.set(ids.subarray(from), at)
    for (let position = from; position < ids.length; position++) places[at++] = row * width + position - 1
  }
  return inference(() => {
    const hidden = llama.hidden(tensor(tokens, [batch.length, width]))
    const rows = reshape(hidden, [batch.length * width, llama.config.hiddenSize])
    const x = wanted === rows.shape[0] ? rows : gatherRows(rows, places)
    return tokenLogProbs(x, llama.headWeight, tensor(targets, [wanted])).read() as Float32Array
  })
}
