import { basename } from 'node:path'
import { excerptOf } from '../funnel.ts'
import type { BenchmarkItem } from './benchmarkItems.ts'

/** A document that was dropped for an item. */
export interface Contamination {
  /** The document's id as a JSON value. */
  document: string | number
  value: number
  /** N-grams that both have, and their share of the item's text. */
  shared: number
  share: number
  /** The longest common subsequence as a share of the item's words, where it was measured. */
  subsequence?: number
  /** The passage of the document that the item has too. */
  passage: string
}

export interface ContaminationFileReport {
  documents: number
  dropped: number
  against: {
    file: string
    items: number
    contaminated: number
    tooShort: number
  }[]
  /** Items that dropped documents, the most first. */
  items: {
    id: string
    file: string
    line: number
    text: string
    dropped: number
    examples: Contamination[]
  }[]
  /** Ids of items with too few words to be looked for. */
  tooShort: string[]
}

/** Gathers what was found, item by item, with a few examples of each. */
export class ContaminationLedger {
  readonly #items: readonly BenchmarkItem[]
  readonly #tooShort: readonly number[]
  readonly #found = new Map<number, { text: string; dropped: number; examples: Contamination[] }>()

  constructor(items: readonly BenchmarkItem[], tooShort: readonly number[]) {
    this.#items = items
    this.#tooShort = tooShort
  }

  add(item: number, text: string, contamination: Contamination): void {
    const found = this.#found.get(item) ?? { text: excerptOf(text, CHARACTERS), dropped: 0, examples: [] }
    found.dropped++
    if (found.examples.length < EXAMPLES) {
      found.examples.push({ ...contamination, passage: excerptOf(contamination.passage, CHARACTERS) })
    }
    this.#found.set(item, found)
  }

  report(documents: number): ContaminationFileReport {
    const files = [...new Set(this.#items.map(({ file }) => file))]
    const countOf = (file: string, numbers: Iterable<number>) =>
      [...numbers].filter((number) => this.#items[number].file === file).length
    const items = [...this.#found]
      .sort(([a, one], [b, other]) => other.dropped - one.dropped || a - b)
      .map(([number, found]) => {
        const { id, file, line } = this.#items[number]
        return { id, file, line, ...found }
      })
    return {
      documents,
      dropped: items.reduce((sum, { dropped }) => sum + dropped, 0),
      against: files.map((file) => ({
        file,
        items: this.#items.filter((item) => item.file === file).length,
        contaminated: countOf(file, this.#found.keys()),
        tooShort: countOf(file, this.#tooShort),
      })),
      items,
      tooShort: this.#tooShort.map((number) => this.#items[number].id),
    }
  }
}

const EXAMPLES = 10
const CHARACTERS = 1000

/** The report for a reader: a table of the benchmarks, then each item with the passages that were found. */
export function contaminationMarkdown(report: ContaminationFileReport): string {
  const lines = [
    '# Contamination by benchmark items',
    '',
    `${report.dropped} of ${report.documents} documents dropped for ${report.items.length} items.`,
    '',
    '| benchmark | items | found in documents | too short to look for |',
    '| --- | ---: | ---: | ---: |',
    ...report.against.map(
      ({ file, items, contaminated, tooShort }) =>
        `| ${basename(file)} | ${items} | ${contaminated} | ${tooShort} |`,
    ),
  ]
  for (const { id, line, text, dropped, examples } of report.items) {
    lines.push('', `## ${id}`, '', `Line ${line}; ${dropped} documents dropped.`, '', ...quote(text))
    for (const { document, shared, share, subsequence, passage } of examples) {
      const order = subsequence === undefined ? '' : `, ${percent(subsequence)} of its words in order`
      lines.push(
        '',
        `Document ${JSON.stringify(document)}: ${shared} n-grams, ${percent(share)} of the item's${order}.`,
      )
      lines.push('', ...quote(passage))
    }
  }
  return `${lines.join('\n')}\n`
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`

const quote = (text: string) => text.split('\n').map((line) => `> ${line}`.trimEnd())
