import type { Document } from '../corpus/index.ts'
import { type CountingOptions, kernels } from './kernels.ts'

/** The numbers that the quality rules look at, each from a native pass over a text. Ratios are 0 for an empty text. */
export const statisticsFields = [
  // size
  'bytes',
  'characters',
  'lines',
  'filledLines',
  'tokens',
  // Gopher quality: a word is a token with at least one character that is no punctuation
  'words',
  'meanWordLength',
  'hashRatio',
  'ellipsisRatio',
  'bulletLinesRatio',
  'ellipsisLinesRatio',
  'alphaWordsRatio',
  'stopWords',
  // Gopher repetition: fractions of elements or of characters
  'dupLineFraction',
  'dupLineCharFraction',
  'dupParagraphFraction',
  'dupParagraphCharFraction',
  'top2GramFraction',
  'top3GramFraction',
  'top4GramFraction',
  'dup5GramFraction',
  'dup6GramFraction',
  'dup7GramFraction',
  'dup8GramFraction',
  'dup9GramFraction',
  'dup10GramFraction',
  // FineWeb
  'linePunctRatio',
  'shortLineRatio',
  'charDuplicatesRatio',
  'newLineRatio',
  // C4: lines that stay up to the test and break it; sentences and lines that remain
  'c4LoremIpsumLines',
  'c4CurlyBracketLines',
  'c4Sentences',
  'c4Lines',
  // source code and data
  'averageLineLength',
  'maxLineLength',
  'alphanumericFraction',
  'alphabeticFraction',
  'digitFraction',
  'encodedFraction',
  'longestEncodedRun',
  'commentLinesRatio',
  'generatedMarkers',
  'licenceMarkers',
] as const

export type StatisticsField = (typeof statisticsFields)[number]

/** Where a number is in a row of all of them. */
export const columnOf = (field: StatisticsField): number => columns.get(field) ?? -1

const columns = new Map<StatisticsField, number>(statisticsFields.map((field, i) => [field, i]))

/** As datatrove counts, but for Chinese, Japanese and Thai, which its English rules leave whole. */
export const defaultCounting: CountingOptions = {
  segment: true,
  stopWords: ['the', 'be', 'to', 'of', 'and', 'that', 'have', 'with'],
  shortLineLength: 30,
  c4: {
    splitParagraph: true,
    removeCitations: true,
    filterNoTerminalPunct: true,
    minWordsPerLine: 3,
    maxWordLength: 1000,
    filterJavascript: true,
    filterPolicy: true,
  },
}

/** One document's numbers, read by name. */
export interface Statistics {
  readonly row: Float64Array
  get(field: StatisticsField): number
}

export interface StatisticsOptions {
  /** All numbers if not given; only these are got, the others are NaN. */
  fields?: readonly StatisticsField[]
  counting?: CountingOptions
  threads?: number
}

/** The numbers of texts: one native call, all threads. */
export function textStatistics(texts: readonly string[], options: StatisticsOptions = {}): Statistics[] {
  const { fields = statisticsFields, counting = defaultCounting, threads } = options
  const columns = fields.map(columnOf)
  const plan = { ...counting, columns, afterC4: [], keepTexts: false }
  const { numbers } = kernels().textStatistics(texts, plan, threads)
  return texts.map((_, i) => {
    const found = numbers.subarray(i * columns.length, (i + 1) * columns.length)
    if (fields === statisticsFields) return new StatisticsRow(found)
    const row = new Float64Array(statisticsFields.length).fill(Number.NaN)
    columns.forEach((column, j) => {
      row[column] = found[j]
    })
    return new StatisticsRow(row)
  })
}

/**
 * The numbers of a batch for one rule, those of prose or those of code. A second rule that asks for the same documents
 * is answered without counting again.
 */
export function documentStatistics(
  batch: readonly Document[],
  fields: readonly StatisticsField[],
  counting: CountingOptions,
): Statistics[] {
  const kind = kinds.find((kind) => fields.every((field) => kind.includes(field))) ?? statisticsFields
  const key = `${kinds.indexOf(kind)} ${counting === defaultCounting ? '' : JSON.stringify(counting)}`
  const missing = batch.filter((document) => known.get(document)?.has(key) !== true)
  if (missing.length > 0) {
    const rows = textStatistics(
      missing.map(({ text }) => text),
      { fields: kind, counting },
    )
    missing.forEach((document, i) => {
      const answers = known.get(document) ?? new Map<string, Statistics>()
      answers.set(key, rows[i])
      known.set(document, answers)
    })
  }
  return batch.map((document) => known.get(document)?.get(key) as Statistics)
}

const known = new WeakMap<Document, Map<string, Statistics>>()

const size = statisticsFields.slice(0, columnOf('words'))
/** What rules ask for together. */
const kinds: (readonly StatisticsField[])[] = [
  [...size, ...statisticsFields.slice(columnOf('words'), columnOf('c4LoremIpsumLines'))],
  [...size, ...statisticsFields.slice(columnOf('averageLineLength'))],
]

class StatisticsRow implements Statistics {
  readonly row: Float64Array

  constructor(row: Float64Array) {
    this.row = row
  }

  get(field: StatisticsField): number {
    return this.row[columnOf(field)]
  }
}
