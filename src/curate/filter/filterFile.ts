import type { Damage } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { neverStop, type StopSignal } from '../../progress/progress.ts'
import { kernels } from '../kernels.ts'
import type { StatisticsField } from '../statistics.ts'
import type { TextBatch } from '../textBatches.ts'
import { DomainTable } from './domains.ts'
import { readBatches } from './input.ts'
import { LinesFile } from './linesFile.ts'
import { type ChosenRule, firstBroken, makeRuleset, planOf, type RowColumn } from './ruleset.ts'

export interface FilterFileOptions {
  /** JSON lines `{"id","text","url"?}`, plain, gzip or zstd, or Parquet. */
  input: string
  /** JSON lines `{"id","keep","rule","value"}` in the order of the input. */
  output: string
  rules: readonly ChosenRule[]
  /** Kept documents as JSON lines `{"id","text"}`, the text as C4 left it. */
  texts?: string
  /** Every number that the rules look at, as JSON lines `{"id","values"}`. */
  values?: string
  /** Counts by domain, as JSON lines. */
  domains?: string
  /** Split scripts without spaces into words; `false` leaves them whole as spaCy's English rules do. */
  segment?: boolean
  /** The field of each line with the words of its text, a list of strings: they are counted instead of our own. */
  words?: string
  threads?: number
  onDamage?: (damage: Damage) => void
  stop?: StopSignal
}

export interface FilterCounts {
  documents: number
  kept: number
  /** UTF-8 bytes of text. */
  bytes: number
  /** By rule and parameter: `gopher-quality.min_doc_words`. */
  dropped: Record<string, number>
  damaged: number
  /** Characters that could not be read and became U+FFFD. */
  replaced: number
}

/**
 * Says of each document of a file which rule drops it first, at which value. Memory does not grow with the input; each
 * output appears when it is whole.
 */
export async function filterFile(options: FilterFileOptions): Promise<FilterCounts> {
  const { input, rules, segment, threads, stop = neverStop } = options
  const wanted: StatisticsField[] = options.domains === undefined ? [] : ['bytes']
  const everyNumber = options.values !== undefined
  const ruleset = makeRuleset(rules, { everyNumber, extra: wanted, segment })
  const editsText = rules.some(({ definition }) => definition.editsText)
  const { plan, places } = planOf(ruleset, options.texts !== undefined && editsText)
  const width = ruleset.columns.length
  const counts: FilterCounts = { documents: 0, kept: 0, bytes: 0, dropped: {}, damaged: 0, replaced: 0 }
  const onDamage = (damage: Damage) => {
    counts.damaged++
    options.onDamage?.(damage)
  }
  const domains = options.domains === undefined ? undefined : new DomainTable()
  const open = (path: string | undefined) => (path === undefined ? undefined : LinesFile.open(path))
  const files = await Promise.all([open(options.output), open(options.texts), open(options.values)])
  const [output, texts, values] = files
  try {
    for await (const batch of readBatches(input, { threads, words: options.words, onDamage })) {
      if (stop.stopped) throw new SmolforgeError('interrupted', 'Stopped while filtering')
      const { native } = batch
      const ids = native.idsJson()
      const { numbers, texts: edited } = await kernels().batchStatistics(native, plan, threads, batch.words)
      const origins = domains === undefined ? [] : batch.origins()
      // Texts that C4 did not touch need not pass through here.
      const kept = texts !== undefined && !editsText ? new Uint8Array(ids.length) : undefined
      let lines = ''
      for (let i = 0; i < ids.length; i++) {
        const broken = firstBroken(ruleset.checks, numbers, i * width, places)
        if (broken === undefined) {
          counts.kept++
          lines += `{"id":${ids[i]},"keep":true,"rule":null,"value":null}\n`
          if (kept !== undefined) kept[i] = 1
          else texts?.add(`{"id":${ids[i]},"text":${JSON.stringify(edited[i])}}\n`)
        } else {
          const { check, value } = broken
          counts.dropped[check.name] = (counts.dropped[check.name] ?? 0) + 1
          lines += `{"id":${ids[i]},"keep":false,"rule":"${check.name}","value":${value}}\n`
        }
        const row = numbers.subarray(i * width, (i + 1) * width)
        values?.add(`{"id":${ids[i]},"values":${valuesJson(ruleset.columns, row, places)}}\n`)
        domains?.count(origins[i], row[places[0]], broken?.check.name)
      }
      if (kept !== undefined) await texts?.write(await native.keptLines(kept, threads))
      output?.add(lines)
      await Promise.all(files.map((file) => file?.flush()))
      count(counts, native)
    }
    await texts?.finish()
    await values?.finish()
    if (domains !== undefined && options.domains !== undefined) await domains.write(options.domains)
    await output?.finish()
    return counts
  } catch (error) {
    await Promise.all(files.map((file) => file?.abandon()))
    throw error
  }
}

function count(counts: FilterCounts, batch: TextBatch): void {
  counts.documents += batch.length
  counts.bytes += batch.bytes
  counts.replaced += batch.replaced
}

function valuesJson(columns: readonly RowColumn[], row: Float64Array, places: readonly number[]): string {
  const fields = columns.map(({ name }, i) => `"${name}":${row[places[i]]}`)
  return `{${fields.join(',')}}`
}
