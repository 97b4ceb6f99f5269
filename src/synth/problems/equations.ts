/**
 * Every equation in a text whose sides are plain arithmetic, worked out again: true when all of them hold. Parts
 * with letters (`x = 3`) say nothing that can be checked here and are passed over.
 */
export function equationsHold(text: string): boolean {
  return equationsIn(text).every((sides) => {
    const values = sides.map(evaluate)
    return values.every((value) => Math.abs(value - values[0]) < 1e-9 * Math.max(1, Math.abs(values[0])))
  })
}

/** The sides of each equation: `2 + 3 = 5` gives `['2 + 3', '5']`. */
export function equationsIn(text: string): string[][] {
  const plain = text.replaceAll('×', '*').replaceAll('÷', '/').replaceAll('$', '')
  return [...plain.matchAll(/[\d(-][\d\s.+\-*/()]*(?:\s*=[\d\s.+\-*/()]*[\d)])+/g)]
    .filter(({ 0: match, index }) => {
      const before = plain.slice(0, index)
      const after = plain.slice(index + match.length)
      // A letter that belongs to a side: `2x + 3 = 7`, `3 = 2n`, `n^2 = 9`.
      return (
        !match.startsWith('- ') &&
        !/[A-Za-z^]$|[A-Za-z)^]\s*[+\-*/]\s*$/.test(before) &&
        !/^[A-Za-z^(%]|^\s*[*/+]/.test(after)
      )
    })
    .map((match) => match[0].split('=').map((side) => side.trim()))
    .filter((sides) => sides.length > 1 && sides.every((side) => side !== ''))
}

/** Value of an expression of numbers, + - * / and parentheses; NaN when it is none. */
export function evaluate(expression: string): number {
  const tokens = expression.match(/\d+(?:\.\d+)?|[+\-*/()]/g) ?? []
  let at = 0
  const sum = (): number => {
    let value = product()
    while (tokens[at] === '+' || tokens[at] === '-')
      value = tokens[at++] === '+' ? value + product() : value - product()
    return value
  }
  const product = (): number => {
    let value = factor()
    while (tokens[at] === '*' || tokens[at] === '/')
      value = tokens[at++] === '*' ? value * factor() : value / factor()
    return value
  }
  const factor = (): number => {
    const token = tokens[at++]
    if (token === '-') return -factor()
    if (token !== '(') return Number(token ?? Number.NaN)
    const value = sum()
    return tokens[at++] === ')' ? value : Number.NaN
  }
  const value = sum()
  return at === tokens.length ? value : Number.NaN
}
