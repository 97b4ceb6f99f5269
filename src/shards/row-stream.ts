import type { BatchRow, TokenBatch } from './batch.ts'

/** Where a domain's stream stands: small, and all that is needed to go on. */
export interface StreamPlace {
  /** Whole passes behind it. */
  epoch: number
  /** The document it stands at, as a place in this epoch's order. */
  place: number
  /** Tokens of that document behind it. */
  offset: number
  /** Tokens of this epoch behind it. */
  passed: number
}

/** The arrays of a batch, into which a row is written. */
export type RowTarget = Pick<TokenBatch, 'tokens' | 'targets' | 'segments'>

/** A domain's rows, epoch after epoch. */
export interface RowStream {
  /** Where it stands: small, and all that is needed to go on. */
  at: StreamPlace
  /** Tokens behind it in all epochs. */
  readonly position: number
  /** Whether it can stand there at all, for a place that comes from a file. */
  hasPlace(at: StreamPlace): boolean
  /** Whether there is another row before `limit`, a position. */
  hasRow(limit: number): boolean
  /** Writes the next row from `at` on; `share` is how much of a row's weight it has. */
  draw(into: RowTarget, at: number, limit: number): Omit<BatchRow, 'domain'> & { share: number }
}
