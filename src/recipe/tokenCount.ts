import { z } from 'zod'

const SCALES: Record<string, number> = { '': 1, k: 1e3, m: 1e6, b: 1e9, t: 1e12 }
const HINT = 'write a number of tokens like 2000000, 500k or 2M'
const FORM = /^(\d+(?:\.\d+)?)\s*([kKmMbBtT]?)$/

/** A number of tokens: 2000000, 500k, 2M, 1.5B or 11T (powers of ten). */
export const tokenCount = z
  .union([z.int().positive(), z.string().regex(FORM, HINT)], {
    error: HINT,
  })
  .transform((value) => (typeof value === 'number' ? value : parseTokens(value)))
  .refine((value) => Number.isSafeInteger(value) && value > 0, {
    error: 'a whole, positive number of tokens',
  })

function parseTokens(text: string): number {
  const [, digits = '', scale = ''] = FORM.exec(text) ?? []
  return Math.round(Number(digits) * (SCALES[scale.toLowerCase()] ?? Number.NaN))
}

/** 2,000,000 as `2M`, 512,000 as `512k`. */
export function formatTokens(tokens: number): string {
  for (const [scale, letter] of [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (tokens >= scale) return `${Number((tokens / scale).toPrecision(3))}${letter}`
  }
  return String(tokens)
}
