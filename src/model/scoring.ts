import { SmolforgeError } from '../errors.ts'
import { gatherRows, inference, reshape, tensor, tokenLogProbs } from '../tensor/index.ts'
import type { KeyValueCache } from './cache.ts'
import { headDim, type LlamaConfig } from './config.ts'
import type { Llama } from './llama.ts'
import { readPrefixes, type ScoredSequence, type SharedPrefix, sharedPrefixes } from './sharedPrefix.ts'

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
    ({ ids, from }): Row => ({
      ids,
      from,
      start: 0,
      scores: new Float32Array(Math.max(0, ids.length - from)),
    }),
  )
  const scored = rows.filter(({ scores }) => scores.length > 0)
  // An adapted block takes one cache for all rows.
  const groups = llama.adapter ? scored.map((row) => ({ length: 0, members: [row] })) : sharedPrefixes(scored)
  const whole = groups.flatMap(({ length, members }) => (length === 0 ? members : []))
  for (const batch of batches(whole, rest, BATCH_TOKENS)) scoreBatch(llama, batch)
  const shared = groups.filter(({ length }) => length > 0)
  for (const batch of batches(shared, ({ length }) => length, cachedTokens(llama.config))) {
    scoreAfterPrefixes(llama, batch)
  }
  return rows.map(({ scores }) => scores)
}

interface Row extends ScoredSequence {
  /** Tokens that are not read: they are in the cache. */
  start: number
  cache?: KeyValueCache
  scores: Float32Array
}

/** Tokens that go through the model. */
function rest({ ids, start }: Row): number {
  return ids.length - 1 - start
}

function scoreAfterPrefixes(llama: Llama, groups: readonly SharedPrefix<Row>[]): void {
  const longest = Math.max(
    ...groups.flatMap(({ length, members }) => members.map(({ ids }) => ids.length - 1 - length)),
  )
  const prefixes = groups.map(({ length, members }) => members[0].ids.subarray(0, length))
  const caches = readPrefixes(llama, prefixes, longest)
  try {
    const rows = groups.flatMap(({ length, members }, i) =>
      members.map((row): Row => ({ ...row, start: length, cache: caches[i] })),
    )
    for (const batch of batches(rows, rest, BATCH_TOKENS)) {
      scoreBatch(llama, batch)
      for (const { cache, start } of batch) cache?.truncate(start)
    }
  } finally {
    for (const cache of caches) cache.free()
  }
}

/** Tokens whose keys and values take about 256 MB. */
function cachedTokens(config: LlamaConfig): number {
  const each = 8 * config.numHiddenLayers * config.numKeyValueHeads * headDim(config)
  return Math.min(BATCH_TOKENS, Math.floor(2 ** 28 / each))
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

/**
 * Fills in the scores of all rows. Those with the same cache write over each other's positions, each after the one
 * before has read them.
 */
function scoreBatch(llama: Llama, batch: readonly Row[]): void {
  const lengths: number[] = []
  const caches: KeyValueCache[] = []
  const tokens: number[] = []
  const places: number[] = []
  const targets: number[] = []
  do {
    for (const { ids, from, start, cache } of batch) {
      for (let position = from; position < ids.length; position++) {
        places.push(tokens.length + position - 1 - start)
        targets.push(ids[position])
      }
      for (let position = start; position < ids.length - 1; position++) tokens.push(ids[position])
      lengths.push(ids.length - 1 - start)
      if (cache) caches.push(cache)
    }
  } while (tokens.length < FEWEST_ROWS)
  while (places.length < FEWEST_ROWS) {
    places.push(...places)
    targets.push(...targets)
  }
  const all = inference(() => {
    const hidden = llama.hidden(tensor(Int32Array.from(tokens), [1, tokens.length]), {
      caches: caches.length > 0 ? caches : undefined,
      lengths,
    })
    const rows = reshape(hidden, [tokens.length, llama.config.hiddenSize])
    const asked = gatherRows(rows, Int32Array.from(places))
    const wanted = tensor(Int32Array.from(targets), [targets.length])
    return tokenLogProbs(asked, llama.headWeight, wanted).read() as Float32Array
  })
  let at = 0
  for (const { scores } of batch) {
    scores.set(all.subarray(at, at + scores.length))
    at += scores.length
  }
}
