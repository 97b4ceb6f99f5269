import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'
import { readJsonLines } from '../../files/jsonl.ts'
import type { FilterCounts } from './filterFile.ts'
import { LinesFile } from './linesFile.ts'
import { type ChosenRule, firstBroken, makeRuleset } from './ruleset.ts'

const valuesLine = z.object({ id: z.unknown(), values: z.record(z.string(), z.number()) })

/**
 * Other limits on numbers that `filterFile` wrote: the verdicts of a new run without its texts. What changes how the
 * numbers are counted (C4's lines, stop words) cannot be changed here.
 *
 * @throws SmolforgeError `usage` for such a parameter, `input` for a line without a number that a rule looks at.
 */
export async function recutFile(options: {
  values: string
  output: string
  rules: readonly ChosenRule[]
}): Promise<FilterCounts> {
  for (const { definition, options: set } of options.rules) {
    const counted = Object.keys(set).find((option) => definition.counting?.[option] !== undefined)
    if (counted === undefined) continue
    throw new SmolforgeError('usage', `${definition.command}: ${counted} changes how numbers are counted`, {
      hint: 'Filter the texts again with it.',
    })
  }
  const { checks, columns } = makeRuleset(options.rules)
  const places = columns.map((_, i) => i)
  const row = new Float64Array(columns.length)
  const counts: FilterCounts = { documents: 0, kept: 0, bytes: 0, dropped: {}, damaged: 0, replaced: 0 }
  const output = await LinesFile.open(options.output)
  try {
    for await (const { line, value } of readJsonLines(options.values)) {
      const parsed = valuesLine.safeParse(value)
      const refuse = (what: string) =>
        new SmolforgeError('input', what, {
          place: { file: options.values, line },
          hint: 'The file is what smolforge filter --values wrote, with the same rules in the same order.',
        })
      if (!parsed.success) throw refuse('Not a line {"id","values"}')
      columns.forEach(({ name }, i) => {
        const number = parsed.data.values[name]
        if (number === undefined) throw refuse(`There is no number ${name}`)
        row[i] = number
      })
      const broken = firstBroken(checks, row, 0, places)
      const id = JSON.stringify(parsed.data.id ?? line)
      counts.documents++
      if (broken === undefined) {
        counts.kept++
        output.add(`{"id":${id},"keep":true,"rule":null,"value":null}\n`)
      } else {
        const { check, value } = broken
        counts.dropped[check.name] = (counts.dropped[check.name] ?? 0) + 1
        output.add(`{"id":${id},"keep":false,"rule":"${check.name}","value":${value}}\n`)
      }
      if (counts.documents % LINES_AT_ONCE === 0) await output.flush()
    }
    await output.finish()
    return counts
  } catch (error) {
    await output.abandon()
    throw error
  }
}

const LINES_AT_ONCE = 10_000
