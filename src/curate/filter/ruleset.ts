import { SmolforgeError } from '../../errors.ts'
import type { CountingOptions, StatisticsPlan } from '../kernels.ts'
import { type RuleDefinition, type RuleOptions, resolveRule } from '../rules/definition.ts'
import { isBroken, type Limit } from '../rules/limits.ts'
import { columnOf, defaultCounting, type StatisticsField } from '../statistics.ts'

export interface ChosenRule {
  definition: RuleDefinition
  options: RuleOptions
}

/** One number of a document: of its text, or of what C4 left of it for the rules that come after. */
export interface RowColumn {
  /** `words`, or `c4:linePunctRatio`. */
  name: string
  field: StatisticsField
  afterC4: boolean
}

/** A limit on a number in a row. */
export interface Check {
  /** As datatrove writes it: `gopher-quality.min_doc_words`. */
  name: string
  limit: Limit
  column: number
}

/** Rules one after the other, as one row of numbers for each document and the limits on them. */
export interface Ruleset {
  columns: readonly RowColumn[]
  checks: readonly Check[]
  counting: CountingOptions
  /** Numbers of every document, and not only up to the first that drops it. */
  everyNumber: boolean
  /** Places of columns that every document has a number for in any case. */
  always: readonly number[]
}

/**
 * Lays out what the rules look at. Rules after C4 see the text that C4 leaves, as in datatrove's pipelines.
 * `everyNumber` takes in the numbers of limits that are off as well.
 */
export function makeRuleset(
  chosen: readonly ChosenRule[],
  settings: { everyNumber?: boolean; extra?: readonly StatisticsField[]; segment?: boolean } = {},
): Ruleset {
  const columns: RowColumn[] = []
  const checks: Check[] = []
  const place = (field: StatisticsField, afterC4: boolean): number => {
    const name = afterC4 ? `c4:${field}` : field
    const known = columns.findIndex((column) => column.name === name)
    return known < 0 ? columns.push({ name, field, afterC4 }) - 1 : known
  }
  let counting: CountingOptions = { ...defaultCounting, segment: settings.segment ?? defaultCounting.segment }
  let afterC4 = false
  const always = (settings.extra ?? []).map((field) => place(field, false))
  for (const { definition, options } of chosen) {
    const resolved = resolveRule(definition, options, counting)
    counting = resolved.counting
    if (settings.everyNumber) for (const { field } of definition.limits) place(field, afterC4)
    for (const limit of resolved.limits) {
      const name = `${definition.command}.${snakeCase(limit.option)}`
      checks.push({ name, limit, column: place(limit.field, afterC4) })
    }
    afterC4 ||= definition.editsText === true
  }
  return { columns, checks, counting, everyNumber: settings.everyNumber ?? false, always }
}

/** What the native pass is asked for, and where each column of the ruleset is in its answer. */
export function planOf(ruleset: Ruleset, keepTexts: boolean): { plan: StatisticsPlan; places: number[] } {
  const before = ruleset.columns.filter(({ afterC4 }) => !afterC4)
  const after = ruleset.columns.filter(({ afterC4 }) => afterC4)
  const order = [...before, ...after]
  const columns = before.map(({ field }) => columnOf(field))
  const afterC4 = after.map(({ field }) => columnOf(field))
  const places = ruleset.columns.map((column) => order.indexOf(column))
  // What comes after the first broken limit is nobody's verdict: most documents of the web never come to the n-grams.
  const checks = ruleset.checks.map(({ limit, column }) => ({
    place: places[column],
    min: 'min' in limit ? limit.min : undefined,
    max: 'max' in limit ? limit.max : undefined,
    exceptZero: limit.exceptZero === true,
  }))
  // A stop without limits is a number that is got before any row can end.
  const stops = [...ruleset.always.map((column) => ({ place: places[column], exceptZero: false })), ...checks]
  return {
    plan: { ...ruleset.counting, columns, afterC4, keepTexts, stops: ruleset.everyNumber ? [] : stops },
    places,
  }
}

/** The first check that a row breaks; undefined keeps the document. `places` says where the row has each column. */
export function firstBroken(
  checks: readonly Check[],
  numbers: Float64Array,
  row: number,
  places: readonly number[],
): { check: Check; value: number } | undefined {
  for (const check of checks) {
    const value = numbers[row + places[check.column]]
    if (isBroken(check.limit, value)) return { check, value }
  }
  return
}

/** `minDocWords` as `min_doc_words`, `topNGrams.2` as `top_n_grams.2`. */
export const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/**
 * Reads `gopher-quality,c4` and `gopher-quality.min_doc_words=40` as rules with options. `false`, `none` and `off` turn
 * a limit off.
 *
 * @throws SmolforgeError `usage` for a name that is not there or a value that does not fit.
 */
export function chooseRules(
  names: readonly string[],
  settings: readonly string[],
  catalogue: readonly RuleDefinition[],
): ChosenRule[] {
  const chosen = names.map((name) => {
    const definition = catalogue.find(({ command, name: recipe }) => command === name || recipe === name)
    if (definition === undefined) {
      throw new SmolforgeError('usage', `There is no rule ${name}`, {
        hint: `There are ${catalogue.map(({ command }) => command).join(', ')}.`,
      })
    }
    return { definition, options: {} as Record<string, unknown> }
  })
  for (const setting of settings) {
    const [, rule = '', option = '', value = ''] = /^([\w-]+)\.([\w.]+)=(.*)$/.exec(setting) ?? []
    const target = chosen.find(({ definition }) => definition.command === rule || definition.name === rule)
    if (target === undefined) {
      throw new SmolforgeError('usage', `--set ${setting} is for none of the rules`, {
        hint: `Write RULE.PARAMETER=VALUE with one of ${names.join(', ')}.`,
      })
    }
    const known = optionNames(target.definition)
    const name = known.find((known) => snakeCase(known) === option || known === option)
    if (name === undefined) {
      throw new SmolforgeError('usage', `${rule} has no parameter ${option}`, {
        hint: `It has ${known.map(snakeCase).join(', ')}.`,
      })
    }
    target.options[name] = readValue(target.definition, name, value, setting)
  }
  return chosen
}

/** All options of a rule: limits, exemptions from them, and what changes how numbers are counted. */
export function optionNames(definition: RuleDefinition): string[] {
  const limits = definition.limits.map(({ option }) => option)
  return [
    ...new Set([
      ...limits,
      ...Object.keys(definition.exemptions ?? {}),
      ...Object.keys(definition.counting ?? {}),
    ]),
  ]
}

/** Off, on, a number; for a counting option what its schema takes, a list by commas. */
function readValue(definition: RuleDefinition, name: string, value: string, setting: string): unknown {
  const plain = /^(none|null|off|false)$/i.test(value) ? false : /^(true|on)$/i.test(value) ? true : undefined
  const schema = definition.counting?.[name]?.schema
  const refuse = (what: string) => new SmolforgeError('usage', `--set ${setting}: ${what}`)
  if (schema !== undefined) {
    const number = value.trim() === '' ? undefined : Number(value)
    const readings = [plain, Number.isNaN(number) ? undefined : number, value, value.split(',')]
    const fit = readings.find((reading) => reading !== undefined && schema.safeParse(reading).success)
    if (fit === undefined) throw refuse('no value of this parameter')
    return fit
  }
  if (plain !== undefined) return plain
  const number = Number(value)
  if (value.trim() === '' || !Number.isFinite(number)) throw refuse('write a number, or off')
  return number
}
