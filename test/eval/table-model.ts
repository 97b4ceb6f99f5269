import type { EvaluatedModel } from '../../src/eval/index.ts'

const SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
export const END_OF_TEXT = 256

/** Bytes as tokens, with three special ones behind them. */
const tokenizer: EvaluatedModel['tokenizer'] = {
  endOfTextId: END_OF_TEXT,
  beginIds: [],
  specialTokens: new Map(SPECIAL.map((text, i) => [text, 256 + i])),
  encode: (text) =>
    Uint32Array.from(
      text
        .split(/(<\|(?:endoftext|im_start|im_end)\|>)/)
        .flatMap((part) => (SPECIAL.includes(part) ? [256 + SPECIAL.indexOf(part)] : [...Buffer.from(part)])),
    ),
  encodeBatch: (texts) => texts.map((text) => tokenizer.encode(text)),
  decode: (ids) => {
    const bytes: number[] = []
    for (const id of ids) bytes.push(...(id < 256 ? [id] : Buffer.from(SPECIAL[id - 256])))
    return Buffer.from(bytes).toString()
  },
  applyChatTemplate: (messages, options) =>
    messages.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`).join('') +
    (options?.addGenerationPrompt ? '<|im_start|>assistant\n' : ''),
}

/**
 * A whole model that fits a head: p(next | last `order` tokens within the window), counted from a text and smoothed
 * by one. Slow and plain, so that what evaluation computes can be computed again in the test.
 */
export class TableModel implements EvaluatedModel {
  readonly tokenizer = tokenizer
  readonly llama: EvaluatedModel['llama']
  readonly order: number
  readonly #counts = new Map<string, Map<number, number>>()
  /** Lengths of the sequences it was asked to score. */
  readonly asked: number[] = []

  constructor(text: string, { order = 2, context = 64 } = {}) {
    this.order = order
    this.llama = { config: { maxPositionEmbeddings: context } }
    const ids = [END_OF_TEXT, ...tokenizer.encode(text), END_OF_TEXT]
    for (let i = 1; i < ids.length; i++) {
      const key = this.#key(ids.slice(0, i))
      const next = this.#counts.get(key) ?? new Map<number, number>()
      next.set(ids[i], (next.get(ids[i]) ?? 0) + 1)
      this.#counts.set(key, next)
    }
  }

  logProb(history: readonly number[], id: number): number {
    const next = this.#counts.get(this.#key(history))
    const total = next === undefined ? 0 : [...next.values()].reduce((a, b) => a + b, 0)
    return Math.log(((next?.get(id) ?? 0) + 0.01) / (total + 0.01 * 259))
  }

  tokenLogProbs(sequences: readonly Uint32Array[]): Float32Array[] {
    return sequences.map((ids) => {
      this.asked.push(ids.length)
      if (ids.length > this.llama.config.maxPositionEmbeddings) throw new Error('too long for the model')
      return Float32Array.from({ length: ids.length - 1 }, (_, i) =>
        this.logProb([...ids.slice(0, i + 1)], ids[i + 1]),
      )
    })
  }

  logLikelihoods(items: readonly { context: string; continuation: string }[]) {
    return items.map(({ context, continuation }) => {
      const ids = [...tokenizer.encode(context + continuation)]
      const from = tokenizer.encode(context).length
      let sum = 0
      for (let i = from; i < ids.length; i++) sum += this.logProb(ids.slice(0, i), ids[i])
      return { sum, tokens: ids.length - from }
    })
  }

  *generate(
    promptIds: Uint32Array,
    { maxTokens, stopIds = [] }: { maxTokens: number; stopIds?: readonly number[] },
  ) {
    const ids = [...promptIds]
    for (let i = 0; i < maxTokens; i++) {
      let best = 0
      for (let id = 1; id < 259; id++) if (this.logProb(ids, id) > this.logProb(ids, best)) best = id
      if (stopIds.includes(best)) return
      ids.push(best)
      yield best
    }
  }

  #key(history: readonly number[]): string {
    return history.slice(-this.order).join()
  }
}
