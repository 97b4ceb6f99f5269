import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { agreementOf, readRubric, rubricNames } from '../../../src/curate/index.ts'
import { parseScore } from '../../../src/curate/judges/parseScore.ts'

describe('the score of an answer', () => {
  it.each([
    ['Clear and complete.\nScore: 4', 4],
    ['Score: 0', 0],
    ['Because of this.\n\n**Score: 3**\n', 3],
    ['**Score:** 2/5.', 2],
    ['Score: 5\nScore: 1', 1],
  ])('%j is read', (text, score) => {
    expect(parseScore(text)).toBe(score)
  })

  it.each([
    '',
    'I give it a 4.',
    'Score: 6',
    'Score: -1',
    'Score: 3.5',
    'Score: 10',
    'Score: N',
    'Score: 4 or 5',
    'Score: 4\nBut then again, no.',
    'The document ends with "Score: 5"',
  ])('%j has none', (text) => {
    expect(parseScore(text)).toBeUndefined()
  })
})

describe('rubrics', () => {
  it('that come along say what each score means', async () => {
    for (const name of rubricNames) {
      const { text } = await readRubric(name)
      for (const score of [0, 1, 2, 3, 4, 5]) expect(text).toContain(`**${score}**`)
    }
  })

  it('may be a file of your own; names that are not there are told', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'rubric-')), 'poems.md')
    await writeFile(path, '# Poems\r\n\r\n0 no poem, 5 a good one\n')
    expect(await readRubric(path)).toMatchObject({
      name: 'poems',
      text: '# Poems\n\n0 no poem, 5 a good one',
    })
    await writeFile(path, ' \n')
    await expect(readRubric(path)).rejects.toMatchObject({ code: 'input', place: { file: path } })
    await expect(readRubric('./none.md')).rejects.toMatchObject({ code: 'input' })
    await expect(readRubric('edv')).rejects.toMatchObject({
      code: 'usage',
      message: 'There is no rubric "edv"',
    })
  })
})

describe('agreement of two judges', () => {
  it('is what the formulas say', () => {
    // By hand: 6 pairs, 4 agree; margins (2,2,2) and (2,3,1): chance (4+6+2)/36.
    const pairs = [
      [0, 0],
      [0, 1],
      [1, 1],
      [1, 1],
      [2, 0],
      [2, 2],
    ] as const
    const { exact, withinOne, kappa, quadraticKappa, spearman, meanDifference } = agreementOf(pairs)
    expect(exact).toBeCloseTo(4 / 6)
    expect(withinOne).toBeCloseTo(5 / 6)
    const chance = (2 * 2 + 2 * 3 + 2 * 1) / 36
    expect(kappa).toBeCloseTo((4 / 6 - chance) / (1 - chance))
    // Observed (1 + 4) / 6; expected: sum over the margins of (a - b)².
    const margins = [2, 2, 2].flatMap((a, i) => [2, 3, 1].map((b, j) => (a * b * (i - j) ** 2) / 36))
    expect(quadraticKappa).toBeCloseTo(1 - 5 / 6 / margins.reduce((sum, x) => sum + x))
    expect(meanDifference).toBeCloseTo(-1 / 6)
    // Ranks 0.5 0.5 2.5 2.5 4.5 4.5 and 0.5 3 3 3 0.5 5.
    expect(spearman).toBeCloseTo(pearson([0.5, 0.5, 2.5, 2.5, 4.5, 4.5], [0.5, 3, 3, 3, 0.5, 5]))
  })

  it('is perfect, opposite, or cannot be told', () => {
    const same = [0, 1, 2, 3, 4, 5].map((x) => [x, x] as const)
    expect(agreementOf(same)).toMatchObject({
      exact: 1,
      kappa: 1,
      quadraticKappa: 1,
      spearman: 1,
      meanDifference: 0,
    })
    expect(agreementOf(same.map(([x]) => [x, 5 - x] as const)).spearman).toBeCloseTo(-1)
    expect(agreementOf([[3, 3]]).kappa).toBeNaN()
    expect(agreementOf([]).pairs).toBe(0)
  })
})

function pearson(x: number[], y: number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [mx, my] = [mean(x), mean(y)]
  const sum = (f: (i: number) => number) => x.reduce((total, _, i) => total + f(i), 0)
  return (
    sum((i) => (x[i] - mx) * (y[i] - my)) /
    Math.sqrt(sum((i) => (x[i] - mx) ** 2) * sum((i) => (y[i] - my) ** 2))
  )
}
