import type { Random } from '../../random/random.ts'

/** A problem with its solution by steps; `check` works the answer out again in another way. */
export interface Solved {
  question: string
  /** Sentences. Equations in them are plain: `3 * (4 + 5) = 27`, fractions as `3/4`. */
  steps: string[]
  answer: string
  check(): boolean
}

/** One kind of problem. `make` draws the numbers, the story and the phrasing. */
export interface ProblemKind {
  name: string
  /** How often it is drawn; 1 unless its numbers allow few different problems. */
  weight?: number
  make(random: Random): Solved
}

/** A number as people write it: at most `digits` decimals, no closing zeros. */
export function num(value: number, digits = 4): string {
  const text = value.toFixed(digits)
  return text.includes('.') ? text.replace(/\.?0+$/, '').replace(/^-0$/, '0') : text
}

/** Whole cents as dollars: `$4`, `$4.05`. */
export function money(cents: number): string {
  return cents % 100 === 0 ? `$${cents / 100}` : `$${(cents / 100).toFixed(2)}`
}

export function gcd(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : gcd(b, a % b)
}

/** A fraction in lowest terms; a whole number without its 1. */
export function fraction(numerator: number, denominator: number): string {
  const common = gcd(numerator, denominator)
  const [n, d] = [numerator / common, denominator / common]
  return d === 1 ? `${n}` : `${n}/${d}`
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** `1 apple`, `3 apples`. */
export function plural(count: number, [one, many]: readonly [string, string]): string {
  return `${count} ${count === 1 ? one : many}`
}

/** `a key`, `an egg`. */
export function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`
}
