import { SmolforgeError } from '../errors.ts'
import { gatherRows, inference, reshape, tensor, tokenLogProbs } from '../tensor/index.ts'
import type { Llama } from './llama.ts'
import type { TokenSequence } from './sequences.ts'
import { type ScoredSequence, type SharedPrefix, sharedPrefixes } from './sharedPrefix.ts'

/** About this many tokens go through the model at a time. */
const BATCH_TOKENS = 4096

/**
 * Fewer rows take the kernels of generation, which round them to int8 where weights are quantised: what is scored goes
 * through them again to make so many.
 */
const FEWEST_ROWS = 9

/**
 * log p of each token from `from` on, in nats, given all tokens before it. Many texts go through the model at a time, one
 * after the other without padding. What neighbours have in common before the first scored token, as the choices of one
 * question do, goes through the model once.
 *
 * @throws SmolforgeError `input` for a text longer than the model's positions, or a token that it does not have.
 */
export function scoreSequences(llama: Llama, sequences: readonly ScoredSequence[]): Float32Array[] {
  for (const { ids } of sequences) checkIds(llama, ids)
  const rows = sequences.map(
    ({ ids, from }): Row => ({ ids, from, scores: new Float32Array(Math.max(0, ids.length - from)) }),
  )
  const scored = rows.filter(({ scores }) => scores.length > 0)
  // An adapted block reads whole sequences alone.
  const groups = llama.adapter ? scored.map((row) => ({ length: 0, members: [row] })) : sharedPrefixes(scored)
  const parts = groups.flatMap(({ length, members }) =>
    [...batches(members, (row) => rest(row, length), BATCH_TOKENS)].map((some) => ({
      length,
      members: some,
    })),
  )
  for (const batch of batches(parts, tokensOf, BATCH_TOKENS)) scoreBatch(llama, batch)
  return rows.map(({ scores }) => scores)
}

interface Row extends ScoredSequence {
  scores: Float32Array
}

/** Tokens that go through the model after a prefix of this length: the last one is predicted, never read. */
function rest({ ids }: Row, prefix: number): number {
  return ids.length - 1 - prefix
}

function tokensOf({ length, members }: SharedPrefix<Row>): number {
  return members.reduce((sum, row) => sum + rest(row, length), length)
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

/** So many at a time, in their order, that they have at most `most` tokens; a longer one comes alone. */
function* batches<T>(items: readonly T[], lengthOf: (item: T) => number, most: number): Generator<T[]> {
  let batch: T[] = []
  let tokens = 0
  for (const item of items) {
    if (tokens + lengthOf(item) > most && batch.length > 0) {
      yield batch
      batch = []
      tokens = 0
    }
    batch.push(item)
    tokens += lengthOf(item)
  }
  if (batch.length > 0) yield batch
}

/** Fills in the scores of all rows: what a group shares is a sequence of its own, which those of its members follow. */
function scoreBatch(llama: Llama, batch: readonly SharedPrefix<Row>[]): void {
  const sequences: TokenSequence[] = []
  const tokens: number[] = []
  const places: number[] = []
  const targets: number[] = []
  const read = (ids: Uint32Array, start: number, end: number, prefix?: TokenSequence['prefix']) => {
    for (let position = start; position < end; position++) tokens.push(ids[position])
    sequences.push({ length: end - start, prefix })
  }
  do {
    for (const { length, members } of batch) {
      const prefix = length > 0 ? { row: tokens.length, length } : undefined
      if (prefix) read(members[0].ids, 0, length)
      for (const { ids, from } of members) {
        for (let position = from; position < ids.length; position++) {
          places.push(tokens.length + position - 1 - length)
          targets.push(ids[position])
        }
        read(ids, length, ids.length - 1, prefix)
      }
    }
  } while (tokens.length < FEWEST_ROWS)
  while (places.length < FEWEST_ROWS) {
    places.push(...places)
    targets.push(...targets)
  }
  const all = inference(() => {
    const hidden = llama.hidden(tensor(Int32Array.from(tokens), [1, tokens.length]), { sequences })
    const rows = reshape(hidden, [tokens.length, llama.config.hiddenSize])
    const asked = gatherRows(rows, Int32Array.from(places))
    const wanted = tensor(Int32Array.from(targets), [targets.length])
    return tokenLogProbs(asked, llama.headWeight, wanted).read() as Float32Array
  })
  let at = 0
  for (const { scores } of batch.flatMap(({ members }) => members)) {
    scores.set(all.subarray(at, at + scores.length))
    at += scores.length
  }
}
