import type { StreamPlace } from './row-stream.ts'

/**
 * Where a stream stands in its epochs, and the order in which an epoch gives what it has. `Order` follows from the
 * epoch's number alone, so the place says everything; only the order of one epoch is kept.
 */
export class EpochPlace<Order> {
  readonly #tokens: number
  readonly #orderOf: (epoch: number) => Order
  #at: StreamPlace = { epoch: 0, place: 0, offset: 0, passed: 0 }
  #kept: { epoch: number; order: Order } | undefined

  /** `tokens` are those of one epoch. */
  constructor(tokens: number, orderOf: (epoch: number) => Order) {
    this.#tokens = tokens
    this.#orderOf = orderOf
  }

  get at(): StreamPlace {
    return { ...this.#at }
  }

  set at(at: StreamPlace) {
    this.#at = { ...at }
  }

  /** Tokens behind it in all epochs. */
  get position(): number {
    return this.#at.epoch * this.#tokens + this.#at.passed
  }

  /** The order of the epoch it stands in, or of another. */
  order(epoch = this.#at.epoch): Order {
    if (this.#kept?.epoch !== epoch) this.#kept = { epoch, order: this.#orderOf(epoch) }
    return this.#kept.order
  }

  /** Goes on by `tokens` within its place; back, where they are to be given again. */
  pass(tokens: number): void {
    this.#at.passed += tokens
    this.#at.offset += tokens
  }

  /** Goes on to the next of an epoch's `places`, or to the next epoch. */
  next(places: number): void {
    this.#at.place++
    this.#at.offset = 0
    if (this.#at.place === places) this.#at = { epoch: this.#at.epoch + 1, place: 0, offset: 0, passed: 0 }
  }
}
