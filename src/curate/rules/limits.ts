import type { CountingOptions } from '../kernels.ts'
import { defaultCounting, documentStatistics, type Statistics, type StatisticsField } from '../statistics.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

/** A document breaks a limit when the field is under `min` or over `max`; `option` is what the user calls the limit. */
export type Limit<Option extends string = string> = {
  option: Option
  field: StatisticsField
  /** datatrove does not look where this limit is 0. */
  offAtZero?: boolean
  /** A number that is exactly 0 breaks it never. */
  exceptZero?: boolean
} & ({ min: number } | { max: number })

/** Limits that the user sets: a number, `false` or null for none, `true` for the default. */
export type LimitOptions<Option extends string> = Partial<Record<Option, number | boolean | null>>

export const atLeast = <const Option extends string>(
  option: Option,
  field: StatisticsField,
  min: number,
) => ({
  option,
  field,
  min,
})

export const atMost = <const Option extends string>(option: Option, field: StatisticsField, max: number) => ({
  option,
  field,
  max,
})

/** A rule that is a list of limits on the numbers of a document: the first that breaks drops it. */
export function limitsRule(
  name: string,
  limits: readonly Limit[],
  counting: CountingOptions = defaultCounting,
): Rule {
  const fields = limits.map(({ field }) => field)
  return {
    name,
    judge: (batch) =>
      documentStatistics(batch, fields, counting).map((statistics) => firstBroken(name, statistics, limits)),
  }
}

/** The limits with the user's values in place of the defaults, less those that are off. */
export function withOptions<Option extends string>(
  limits: readonly Limit<Option>[],
  options: LimitOptions<Option>,
): Limit<Option>[] {
  return limits.flatMap((limit) => {
    const option = options[limit.option]
    if (option === undefined || option === true) return [limit]
    if (typeof option !== 'number' || (option === 0 && limit.offAtZero === true)) return []
    return ['min' in limit ? { ...limit, min: option } : { ...limit, max: option }]
  })
}

export const isBroken = (limit: Limit, value: number): boolean =>
  ('min' in limit ? value < limit.min : value > limit.max) && !(limit.exceptZero === true && value === 0)

export const thresholdOf = (limit: Limit): number => ('min' in limit ? limit.min : limit.max)

function firstBroken(name: string, statistics: Statistics, limits: readonly Limit[]): Verdict {
  for (const limit of limits) {
    const value = statistics.get(limit.field)
    if (!isBroken(limit, value)) continue
    return { keep: false, rule: `${name}.${limit.option}`, value, threshold: thresholdOf(limit) }
  }
  return keep
}
