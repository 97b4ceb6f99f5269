// Slow references for everything that compares word n-grams: plain strings and sets, no hashes.

/** Lower-case words of letters and digits. Enough for texts without accents and without Chinese. */
export function slowWords(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? []
}

/** The set of n-grams; a shorter text is one gram. */
export function slowGrams(text: string, n: number): Set<string> {
  const words = slowWords(text)
  if (words.length === 0) return new Set()
  const length = Math.min(n, words.length)
  const grams = Array.from({ length: words.length - length + 1 }, (_, i) => words.slice(i, i + length))
  return new Set(grams.map((gram) => gram.join(' ')))
}

export function slowJaccard(a: string, b: string, n: number): number {
  const [one, two] = [slowGrams(a, n), slowGrams(b, n)]
  const shared = [...one].filter((gram) => two.has(gram)).length
  return shared / (one.size + two.size - shared)
}

/** Whether a document holds `n` words in a row of an item, or the whole of an item of 5 to n - 1 words. */
export function slowContaminates(document: string, item: string, n: number): boolean {
  if (slowWords(item).length < 5) return false
  const words = ` ${slowWords(document).join(' ')} `
  return [...slowGrams(item, n)].some((gram) => words.includes(` ${gram} `))
}

/** The share of a text's n-grams that occur in any of the others. */
export function slowOverlap(text: string, others: readonly string[], n: number): number {
  const joined = others.map((other) => ` ${slowWords(other).join(' ')} `)
  const grams = [...slowGrams(text, n)]
  return grams.filter((gram) => joined.some((other) => other.includes(` ${gram} `))).length / grams.length
}
