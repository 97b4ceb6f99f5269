import { SmolforgeError } from '../errors.ts'
import { Random } from '../random/random.ts'
import { inference, logSoftmax, reshape, slice, type Tensor, tensor } from '../tensor/index.ts'
import { KeyValueCache } from './cache.ts'
import type { Llama } from './llama.ts'
import { type SamplingOptions, sampleToken, topIds } from './sampling.ts'
import { checkIds } from './scoring.ts'

export interface StepOptions extends SamplingOptions {
  maxTokens: number
  /** Of the sampling; 0 when left out. */
  seed?: number
  /** Generation ends before one of these. */
  stopIds: readonly number[]
  /** With each token its log-probability, and those of so many likeliest tokens. */
  topLogProbs?: number
}

/** A token that was chosen, and when asked for its log-probability (of the model's own distribution) in nats. */
export interface GeneratedToken {
  /** Which of the prompts it continues. */
  prompt: number
  id: number
  logProb?: number
  /** The likeliest tokens in its place. */
  top?: { ids: number[]; logProbs: number[] }
}

/**
 * Continues several prompts at once, a token of each a step; each ends by itself, before a stop token, after `maxTokens`,
 * or at the model's last position. A prompt's tokens do not depend on the others but for the last bits of sums.
 *
 * @throws SmolforgeError `input` for a prompt that leaves the model no position, or a token that it does not have.
 */
export function* generateTokens(
  llama: Llama,
  prompts: readonly Uint32Array[],
  options: StepOptions,
): Generator<GeneratedToken> {
  for (const prompt of prompts) checkPrompt(llama, prompt)
  const running = prompts.map((prompt, index) => new Continuation(llama, prompt, index, options))
  const stopIds = new Set(options.stopIds)
  try {
    let open = options.maxTokens > 0 ? running : []
    while (open.length > 0) {
      const logits = step(llama, open)
      const going: Continuation[] = []
      for (const [row, each] of open.entries()) {
        const id = each.choose(logits[row])
        if (stopIds.has(id)) continue
        each.take(id)
        if (!each.full) going.push(each)
        yield { prompt: each.index, id, ...logProbsOf(logits[row], id, options.topLogProbs) }
      }
      open = going
    }
  } finally {
    for (const each of running) each.cache.free()
  }
}

/** Prompts are read as single tokens are, where weights are quantised. */
const ROUNDED = { int8: true }

class Continuation {
  readonly index: number
  readonly cache: KeyValueCache
  /** Tokens that the model has not seen yet. */
  next: Int32Array
  readonly #seen: Set<number>
  readonly #options: StepOptions
  readonly #random: Random
  #made = 0

  constructor(llama: Llama, prompt: Uint32Array, index: number, options: StepOptions) {
    this.index = index
    this.next = Int32Array.from(prompt)
    this.#seen = new Set(prompt)
    this.#options = options
    this.#random = Random.derive(options.seed ?? 0, 'generate')
    const { maxPositionEmbeddings } = llama.config
    const capacity = Math.min(maxPositionEmbeddings, prompt.length + options.maxTokens)
    this.cache = new KeyValueCache(llama.config, capacity)
  }

  choose(logits: Float32Array): number {
    return sampleToken(logits, this.#options, this.#random, this.#seen)
  }

  take(id: number): void {
    this.next = Int32Array.of(id)
    this.#seen.add(id)
    this.#made++
  }

  get full(): boolean {
    return this.#made >= this.#options.maxTokens || this.cache.length >= this.cache.capacity
  }
}

/** The logits after the next tokens of each. One token of each goes through the layers together. */
function step(llama: Llama, open: readonly Continuation[]): Float32Array[] {
  for (const { cache, next } of open) cache.reserve(next.length)
  if (open.length > 1 && open.every(({ next }) => next.length === 1)) {
    return inference(() => {
      const rows = reshape(read(llama, open), [open.length, llama.config.hiddenSize])
      const all = llama.logits(rows).read() as Float32Array
      const vocab = all.length / open.length
      return open.map((_, row) => all.subarray(row * vocab, (row + 1) * vocab))
    }, ROUNDED)
  }
  return open.map((each) =>
    inference(() => llama.logits(lastRow(read(llama, [each]))).read() as Float32Array, ROUNDED),
  )
}

/** The hidden states of the next tokens of each. */
function read(llama: Llama, open: readonly Continuation[]): Tensor {
  const tokens = Int32Array.from(open.flatMap(({ next }) => [...next]))
  const sequences = open.map(({ cache, next }) => ({ length: next.length, cache }))
  return llama.hidden(tensor(tokens, [1, tokens.length]), { sequences })
}

/** The last position of hidden [1, T, d] as [1, d]. */
export function lastRow(hidden: Tensor): Tensor {
  const [, time, width] = hidden.shape
  return slice(reshape(hidden, [time, width]), time - 1, time)
}

function logProbsOf(logits: Float32Array, id: number, count: number | undefined) {
  if (count === undefined) return {}
  const logProbs = inference(() => logSoftmax(tensor(logits, [1, logits.length])).read() as Float32Array)
  const ids = count > 0 ? topIds(logProbs, count) : []
  return { logProb: logProbs[id], top: { ids, logProbs: ids.map((each) => logProbs[each]) } }
}

function checkPrompt(llama: Llama, prompt: Uint32Array): void {
  if (prompt.length === 0) throw new SmolforgeError('usage', 'There is no token to go on from')
  checkIds(llama, prompt, 1)
}
