import type { Document } from '../corpus/index.ts'
import { kernels } from './kernels.ts'

/** The numbers that the quality rules look at, all from one native pass over a text. Ratios are 0 for an empty text. */
export const statisticsFields = [
  // size
  'bytes',
  'characters',
  'lines',
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

/** One document's numbers, read by name. */
export interface Statistics {
  readonly row: Float64Array
  get(field: StatisticsField): number
}

/** The numbers of a batch, computed once for each document however many rules ask. */
export function documentStatistics(batch: readonly Document[]): Statistics[] {
  const missing = batch.filter((document) => !known.has(document))
  if (missing.length > 0) {
    const rows = textStatistics(missing.map(({ text }) => text))
    missing.forEach((document, i) => {
      known.set(document, rows[i])
    })
  }
  return batch.map((document) => known.get(document) as Statistics)
}

/** The numbers of texts: one native call, all threads. */
export function textStatistics(texts: readonly string[], options: { threads?: number } = {}): Statistics[] {
  const width = statisticsFields.length
  const numbers = kernels().textStatistics(texts, options.threads)
  return texts.map((_, i) => new StatisticsRow(numbers.subarray(i * width, (i + 1) * width)))
}

const columns = new Map<StatisticsField, number>(statisticsFields.map((field, i) => [field, i]))
const known = new WeakMap<Document, Statistics>()

class StatisticsRow implements Statistics {
  readonly row: Float64Array

  constructor(row: Float64Array) {
    this.row = row
  }

  get(field: StatisticsField): number {
    return this.row[columns.get(field) ?? -1]
  }
}
