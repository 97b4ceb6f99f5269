import { setTimeout as sleep } from 'node:timers/promises'

export interface RateLimits {
  requestsPerMinute?: number
  /** Of questions and answers together, estimated when a request leaves and corrected when its answer is there. */
  tokensPerMinute?: number
}

/**
 * Lets requests out one after the other, so far apart that no limit is passed in any minute. A judge that asks to be left
 * alone stops all of them.
 */
export class Pace {
  readonly #msPerRequest: number
  readonly #msPerToken: number
  #next = 0

  constructor({ requestsPerMinute, tokensPerMinute }: RateLimits) {
    this.#msPerRequest = requestsPerMinute === undefined ? 0 : 60_000 / requestsPerMinute
    this.#msPerToken = tokensPerMinute === undefined ? 0 : 60_000 / tokensPerMinute
  }

  /** Waits until a request of about so many tokens may go. @throws the signal's reason when it comes first. */
  async take(tokens: number, signal: AbortSignal): Promise<void> {
    const start = Math.max(Date.now(), this.#next)
    this.#next = start + Math.max(this.#msPerRequest, tokens * this.#msPerToken)
    await wait(start - Date.now(), signal)
    // While this one slept, the judge may have asked for a pause.
    while (this.#pausedUntil > Date.now()) await wait(this.#pausedUntil - Date.now(), signal)
  }

  /** A request took more or fewer tokens than was thought. */
  correct(difference: number): void {
    this.#next += difference * this.#msPerToken
  }

  pause(milliseconds: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, Date.now() + milliseconds)
  }

  #pausedUntil = 0
}

/** Nothing for no time; rejects with the signal's reason. */
export async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (milliseconds <= 0) return
  try {
    await sleep(milliseconds, undefined, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
