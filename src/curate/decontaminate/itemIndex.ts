import { kernels, type NgramIndex } from '../kernels.ts'
import type { BenchmarkItem } from './benchmarkItems.ts'

/** The n-grams of benchmark items, and which item each indexed text is of. */
export interface ItemIndex {
  index: NgramIndex
  /** For each indexed text the number of its item, its text, and how many n-grams it has. */
  owners: number[]
  texts: string[]
  sizes: Uint32Array
  /** Items with too few words to be told from chance. */
  tooShort: number[]
}

/**
 * Indexes the texts of items. A text of `ngram` words or more counts by its n-grams. Of an item that has none such,
 * each text of `minWords` words or more counts as a whole; failing that, all its texts together, question and answer,
 * when they reach that length.
 */
export function indexItems(
  items: readonly BenchmarkItem[],
  { ngram, minWords }: { ngram: number; minWords: number },
): ItemIndex {
  const joined = items.map(({ texts }) => texts.join('\n'))
  const counts = kernels().wordCounts(items.flatMap(({ texts }) => texts))
  const joinedCounts = kernels().wordCounts(joined)
  const owners: number[] = []
  const texts: string[] = []
  const tooShort: number[] = []
  let at = 0
  items.forEach((item, number) => {
    const words = counts.subarray(at, at + item.texts.length)
    at += item.texts.length
    const atLeast = (least: number) => item.texts.filter((_, i) => words[i] >= least)
    const choices = [
      atLeast(ngram),
      atLeast(minWords),
      joinedCounts[number] >= minWords ? [joined[number]] : [],
    ]
    const chosen = [...new Set(choices.find(({ length }) => length > 0) ?? [])]
    if (chosen.length === 0) tooShort.push(number)
    for (const text of chosen) {
      owners.push(number)
      texts.push(text)
    }
  })
  const index = new (kernels().NgramIndex)(texts, ngram, Math.min(minWords, ngram))
  return { index, owners, texts, sizes: index.sizes(), tooShort }
}
