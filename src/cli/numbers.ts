import { SmolforgeError } from '../errors.ts'

/** An option that is a number of at least 0. */
export function nonNegativeNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value
  throw new SmolforgeError('usage', `${text} is not a number of at least 0`)
}

/** An option that is a share: 0 to 1. */
export function shareNumber(text: string): number {
  const value = nonNegativeNumber(text)
  if (value <= 1) return value
  throw new SmolforgeError('usage', `${text} is not a share between 0 and 1`)
}

/** An option that is any number. */
export function finiteNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw new SmolforgeError('usage', `${text} is not a number`)
}
