/**
 * Cuts a long text into pieces of about `size` characters at natural borders. `borders` are tried in order: the
 * last match of the first one that occurs in the second half of a piece is where it ends; a match belongs to the
 * piece before it. A text that is only a little longer than a piece stays whole.
 */
export function cutText(text: string, size: number, borders: readonly RegExp[]): string[] {
  if (text.length <= 2 * size) return [text]
  const pieces: string[] = []
  let start = 0
  while (text.length - start > 1.5 * size) {
    const from = start + Math.floor(size / 2)
    const end = findBorder(text.slice(from, start + size), borders)
    const cut = avoidSplitPair(text, end === undefined ? start + size : from + end)
    pieces.push(text.slice(start, cut))
    start = cut
  }
  pieces.push(text.slice(start))
  return pieces
}

function findBorder(text: string, borders: readonly RegExp[]): number | undefined {
  for (const border of [...borders, /\n/g, / /g]) {
    let end: number | undefined
    for (const match of text.matchAll(border)) end = match.index + match[0].length
    if (end !== undefined) return end
  }
  return undefined
}

function avoidSplitPair(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff ? at + 1 : at
}
