import { documentStatistics, type Statistics, type StatisticsField } from '../statistics.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

/** A document breaks a limit when the field is under `min` or over `max`; `option` is what the user calls the limit. */
export type Limit = { option: string; field: StatisticsField } & ({ min: number } | { max: number })

/** A rule that is a list of limits on the numbers of a document: the first that breaks drops it. */
export function limitsRule(name: string, limits: readonly Limit[]): Rule {
  return {
    name,
    judge: (batch) => documentStatistics(batch).map((statistics) => firstBroken(name, statistics, limits)),
  }
}

function firstBroken(name: string, statistics: Statistics, limits: readonly Limit[]): Verdict {
  for (const limit of limits) {
    const value = statistics.get(limit.field)
    const threshold = 'min' in limit ? limit.min : limit.max
    const broken = 'min' in limit ? value < threshold : value > threshold
    if (broken) return { keep: false, rule: `${name}.${limit.option}`, value, threshold }
  }
  return keep
}
