import { z } from 'zod'
import type { CountingOptions } from '../kernels.ts'
import { defaultCounting } from '../statistics.ts'
import type { Rule } from '../verdict.ts'
import { type Limit, type LimitOptions, limitsRule, withOptions } from './limits.ts'

/** A rule as data: what it is called, its limits in the order it looks at them, and how its numbers are counted. */
export interface RuleDefinition<Option extends string = string> {
  /** In recipes and reports. */
  readonly name: string
  /** On the command line. */
  readonly command: string
  readonly limits: readonly Limit<Option>[]
  /** Options that change how the numbers are counted. */
  readonly counting?: Readonly<Record<string, CountingOption>>
  /** Flags that spare a number of exactly 0 a limit: flag to limit. */
  readonly exemptions?: Readonly<Record<string, Option>>
  /** It hands on what C4 leaves of a text. */
  readonly editsText?: boolean
}

export interface CountingOption {
  readonly schema: z.ZodType
  apply(counting: CountingOptions, value: never): CountingOptions
}

/** What a user writes for a rule: limits by name, `topNGrams: { 2: 0.2 }` for a family of them, counting options. */
export type RuleOptions = Readonly<Record<string, unknown>>

/**
 * Checks the shape of a definition and keeps the names of its options in its type. Without a `command` it is the name
 * with dashes: `noQuestions` is `no-questions`.
 */
export const defineRule = <const Option extends string>(
  definition: Omit<RuleDefinition<Option>, 'command'> & { command?: string },
): RuleDefinition<Option> => ({
  ...definition,
  command: definition.command ?? definition.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
})

/** The definition with a user's options: the limits that hold, and how numbers are counted for them. */
export function resolveRule(
  definition: RuleDefinition,
  options: RuleOptions,
  counting: CountingOptions = defaultCounting,
): { limits: Limit[]; counting: CountingOptions } {
  const flat = flatten(options)
  let counted = counting
  for (const [name, { schema, apply }] of Object.entries(definition.counting ?? {})) {
    if (flat[name] !== undefined) counted = apply(counted, schema.parse(flat[name]) as never)
  }
  const spared = Object.entries(definition.exemptions ?? {}).flatMap(([flag, limit]) =>
    flat[flag] === true ? [limit] : [],
  )
  const limits = withOptions(definition.limits, flat as LimitOptions<string>).map((limit) =>
    spared.includes(limit.option) ? { ...limit, exceptZero: true } : limit,
  )
  return { limits, counting: counted }
}

/** The rule for documents in memory. */
export function makeLimitsRule(definition: RuleDefinition, options: RuleOptions): Rule {
  const { limits, counting } = resolveRule(definition, options)
  return limitsRule(definition.name, limits, counting)
}

/** `{ topNGrams: { 2: 0.2 } }` as `{ 'topNGrams.2': 0.2 }`. */
function flatten(options: RuleOptions): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[name, value]]
      return Object.entries(value).map(([part, value]) => [`${name}.${part}`, value])
    }),
  )
}

export const flag = z.boolean()
export const whole = z.int().min(-1)
