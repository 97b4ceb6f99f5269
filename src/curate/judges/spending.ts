import { SmolforgeError } from '../../errors.ts'

/** US dollars, or what you count in, for a million tokens. */
export interface TokenPrices {
  perMillionPrompt: number
  perMillionAnswer: number
}

export interface TokenCounts {
  promptTokens: number
  answerTokens: number
}

/** What a labelling has cost, and what its requests on the way can cost at most. */
export class Spending {
  readonly #prices: TokenPrices
  readonly #most: number
  #spent: TokenCounts = { promptTokens: 0, answerTokens: 0 }
  #reserved = 0

  constructor(prices: TokenPrices, most = Number.POSITIVE_INFINITY) {
    this.#prices = prices
    this.#most = most
  }

  get tokens(): TokenCounts {
    return this.#spent
  }

  get cost(): number {
    return costOf(this.#spent, this.#prices)
  }

  /** What earlier runs paid for. */
  add({ promptTokens, answerTokens }: TokenCounts): void {
    this.#spent = {
      promptTokens: this.#spent.promptTokens + promptTokens,
      answerTokens: this.#spent.answerTokens + answerTokens,
    }
  }

  /** @throws SmolforgeError `usage` when a request that costs so much could pass the most that may be spent. */
  reserve(tokens: TokenCounts): void {
    const cost = costOf(tokens, this.#prices)
    if (this.cost + this.#reserved + cost > this.#most) {
      throw new SmolforgeError('usage', `The next request could pass --max-cost ${this.#most}`, {
        hint: `${this.cost.toFixed(4)} are spent. What was judged is kept: the same command with more goes on there.`,
      })
    }
    this.#reserved += cost
  }

  /** The request is over; it cost what was used, or nothing. */
  settle(reserved: TokenCounts, used: TokenCounts | undefined): void {
    this.#reserved -= costOf(reserved, this.#prices)
    if (used !== undefined) this.add(used)
  }
}

export function costOf({ promptTokens, answerTokens }: TokenCounts, prices: TokenPrices): number {
  return (promptTokens * prices.perMillionPrompt + answerTokens * prices.perMillionAnswer) / 1e6
}
