import { ApiError } from './apiError.ts'

/** Hands out one turn at a time, in the order of asking: a model on a CPU answers one request at full speed. */
export class Turns {
  readonly #waiting: (() => void)[] = []
  readonly #mostWaiting: number
  #taken = false

  constructor(mostWaiting: number) {
    this.#mostWaiting = mostWaiting
  }

  /**
   * Waits for the turn; the answer gives it back. A caller that is aborted while it waits leaves the queue.
   *
   * @throws ApiError 503 when too many wait already; the signal's reason when it is aborted.
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#taken) {
      if (this.#waiting.length >= this.#mostWaiting) {
        throw new ApiError(503, 'server_error', 'Too many requests are waiting: try again later')
      }
      await this.#wait(signal)
    }
    this.#taken = true
    let given = false
    return () => {
      if (given) return
      given = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#taken = false
      else next()
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(proceed), 1)
        reject(signal.reason)
      }
      const proceed = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      this.#waiting.push(proceed)
      signal.addEventListener('abort', leave, { once: true })
    })
  }
}
