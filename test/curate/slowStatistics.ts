// Slow references for the native statistics, written from datatrove's Python, on tokens given by the caller.

export function slowRepetition(text: string, tokens: readonly string[]) {
  const characters = [...text].length
  const length = (part: string) => [...part].length
  const duplicates = (elements: readonly string[]) => {
    const seen = new Set<string>()
    let [count, chars] = [0, 0]
    for (const element of elements) {
      if (seen.has(element)) {
        count++
        chars += length(element)
      } else seen.add(element)
    }
    return { fraction: count / elements.length, characters: chars }
  }
  const paragraphs = duplicates(text.trim().split(/\n{2,}/))
  const lines = duplicates(text.split(/\n+/))
  const top = (n: number) => {
    const counts = new Map<string, number>()
    for (let i = 0; i + n <= tokens.length; i++) {
      const gram = tokens.slice(i, i + n).join(' ')
      counts.set(gram, (counts.get(gram) ?? 0) + 1)
    }
    let best: [string, number] = ['', 0]
    for (const entry of counts) if (entry[1] > best[1]) best = entry
    return (length(best[0]) * best[1]) / characters
  }
  const repeated = (n: number) => {
    const seen = new Set<string>()
    let [i, chars] = [0, 0]
    while (i < tokens.length - n + 1) {
      const gram = tokens.slice(i, i + n).join('\0')
      if (seen.has(gram)) {
        chars += length(tokens.slice(i, i + n).join(''))
        i += n
      } else {
        seen.add(gram)
        i++
      }
    }
    return chars / characters
  }
  return {
    dupParagraphFraction: paragraphs.fraction,
    dupParagraphCharFraction: paragraphs.characters / characters,
    dupLineFraction: lines.fraction,
    dupLineCharFraction: lines.characters / characters,
    top2GramFraction: top(2),
    top3GramFraction: top(3),
    top4GramFraction: top(4),
    dup5GramFraction: repeated(5),
    dup6GramFraction: repeated(6),
    dup7GramFraction: repeated(7),
    dup8GramFraction: repeated(8),
    dup9GramFraction: repeated(9),
    dup10GramFraction: repeated(10),
  }
}

export function slowLines(text: string, tokens: readonly string[]) {
  const filled = text.split('\n').filter((line) => line.trim() !== '')
  const all = text.split(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/)
  if (all.at(-1) === '') all.pop()
  const seen = new Set<string>()
  let repeated = 0
  for (const line of filled) {
    if (seen.has(line)) repeated += [...line].length
    else seen.add(line)
  }
  const share = (lines: readonly string[], holds: (line: string) => boolean) =>
    lines.length === 0 ? 0 : lines.filter(holds).length / lines.length
  return {
    lines: all.length,
    bulletLinesRatio: share(all, (line) => /^\s*[•-]/.test(line)),
    ellipsisLinesRatio: share(all, (line) => /(\.\.\.|…)\s*$/.test(line)),
    linePunctRatio: share(filled, (line) => /[.!?。！？؟।]$/u.test(line)),
    shortLineRatio: share(filled, (line) => [...line].length <= 30),
    charDuplicatesRatio: repeated / [...text.replaceAll('\n', '')].length,
    newLineRatio: (text.split('\n').length - 1) / tokens.length,
  }
}

export function slowWords(text: string, tokens: readonly string[]) {
  // A bullet is a word to datatrove: it is not in its set of punctuation.
  const words = tokens.filter((token) => !/^[-#.!…]+$/.test(token))
  const stopWords = new Set(['the', 'be', 'to', 'of', 'and', 'that', 'have', 'with'])
  return {
    tokens: tokens.length,
    words: words.length,
    meanWordLength: words.reduce((sum, word) => sum + [...word].length, 0) / words.length,
    hashRatio: (text.split('#').length - 1) / tokens.length,
    ellipsisRatio: (text.split('...').length - 1 + text.split('…').length - 1) / tokens.length,
    alphaWordsRatio: tokens.filter((token) => /\p{L}/u.test(token)).length / tokens.length,
    stopWords: new Set(tokens.filter((token) => stopWords.has(token))).size,
    characters: [...text].length,
    bytes: Buffer.byteLength(text),
  }
}
