import { type ErrorCode, type ErrorPlace, SmolforgeError } from '../errors.ts'

/** Compiled code can run in a worker on every Node; TypeScript sources (tests, tsx) do its work in the same thread. */
export const workersAvailable = import.meta.url.endsWith('.js')

/** An error as plain data: classes do not survive the way between threads. */
export interface PlainError {
  message: string
  stack?: string
  ours?: { code: ErrorCode; place: ErrorPlace; hint?: string }
}

/** The error as data for the way to another thread. */
export function flattenError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { message: String(error) }
  const plain: PlainError = { message: error.message, stack: error.stack }
  if (error instanceof SmolforgeError) plain.ours = { code: error.code, place: error.place, hint: error.hint }
  return plain
}

/** The error on the other side. */
export function reviveError(plain: PlainError): Error {
  const error = plain.ours
    ? new SmolforgeError(plain.ours.code, plain.message, { place: plain.ours.place, hint: plain.ours.hint })
    : new Error(plain.message)
  if (plain.stack) error.stack = plain.stack
  return error
}
