/** The mean of each value and those up to `window - 1` before it. */
export function smoothed(values: readonly number[], window: number): number[] {
  return values.map((_, i) => mean(values.slice(Math.max(0, i + 1 - window), i + 1)))
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** The largest |a - b| / b over two curves, and the step (from 1) where it is. */
export function largestDifference(
  a: readonly number[],
  b: readonly number[],
): { share: number; step: number } {
  let worst = { share: 0, step: 1 }
  for (const [i, value] of a.entries()) {
    const share = Math.abs(value - b[i]) / Math.abs(b[i])
    // A loss that is no number is no agreement.
    if (!(share <= worst.share)) worst = { share: Number.isNaN(share) ? Infinity : share, step: i + 1 }
  }
  return worst
}

/** The curves over their steps as a picture, drawn in the order given. */
export function curvesSvg(curves: Readonly<Record<string, readonly number[]>>): string {
  const [width, height, margin] = [900, 500, 50]
  const all = Object.values(curves).flat().filter(Number.isFinite)
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const colours = ['#1b6ca8', '#d1495b', '#3a7d44', '#8d6a9f']
  const parts = Object.entries(curves).map(([name, values], index) => {
    const colour = colours[index % colours.length]
    const points = values.map((value, i) => {
      const x = margin + ((width - 2 * margin) * i) / Math.max(1, values.length - 1)
      const y = height - margin - ((height - 2 * margin) * (value - low)) / Math.max(1e-9, high - low)
      return `${x.toFixed(1)},${y.toFixed(1)}`
    })
    const label = `<text x="${width - 200}" y="${margin + 18 * index}" fill="${colour}">${name}</text>`
    return `<polyline fill="none" stroke="${colour}" points="${points.join(' ')}"/>${label}`
  })
  const axis = [
    `<text x="5" y="${margin}">${high.toFixed(2)}</text>`,
    `<text x="5" y="${height - margin}">${low.toFixed(2)}</text>`,
    `<text x="${width / 2}" y="${height - 15}">step</text>`,
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
${[...axis, ...parts].join('\n')}
</svg>
`
}
