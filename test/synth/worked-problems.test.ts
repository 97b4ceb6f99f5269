import { describe, expect, it } from 'vitest'
import { Random } from '../../src/random/random.ts'
import { problemDocuments, workedProblems } from '../../src/synth/index.ts'
import { problemKinds } from '../../src/synth/problems/all-kinds.ts'
import { equationsHold, equationsIn, evaluate } from '../../src/synth/problems/equations.ts'

describe('worked problems', () => {
  it('are right in 20,000 of 20,000 cases, in every equation of every step', () => {
    let equations = 0
    const kinds = new Set<string>()
    for (const problem of workedProblems(Random.derive(1, 'worked problems test'), 20_000)) {
      kinds.add(problem.kind)
      expect(problem.steps.every(equationsHold), problem.text).toBe(true)
      expect(problem.text).toContain(problem.question)
      expect(problem.text.toLowerCase()).toContain(problem.answer.toLowerCase())
      expect(problem.text).not.toMatch(/undefined|NaN|Infinity|\[object|- -|\.\.$/)
      equations += problem.steps.flatMap(equationsIn).length
    }
    expect(kinds.size).toBe(problemKinds.length)
    expect(kinds.size).toBeGreaterThanOrEqual(25)
    expect(equations).toBeGreaterThan(30_000)
  })

  it('are the same texts for the same seed, and others for another', () => {
    const texts = (seed: number) =>
      [...problemDocuments(Random.derive(seed, 'x'), 20)].map(({ text }) => text)
    expect(texts(4)).toEqual(texts(4))
    expect(texts(5)).not.toEqual(texts(4))
  })

  it('do not repeat themselves: few 13-word runs of a document stand in another one', () => {
    const seen = new Set<string>()
    let grams = 0
    let repeated = 0
    let near = 0
    const documents = [...problemDocuments(Random.derive(2, 'duplicates'), 2000)]
    for (const { text } of documents) {
      const words = text.toLowerCase().split(/\s+/)
      const own = words.slice(12).map((_, i) => words.slice(i, i + 13).join(' '))
      const known = own.filter((gram) => seen.has(gram)).length
      if (known > 0.1 * own.length) near++
      repeated += known
      grams += own.length
      for (const gram of own) seen.add(gram)
    }
    expect(repeated / grams).toBeLessThan(0.02)
    expect(near / documents.length).toBeLessThan(0.05)
  })

  it('held out by another seed share next to no question with the training ones', () => {
    const questions = (seed: number, count: number) =>
      [...workedProblems(Random.derive(seed, 'questions'), count)].map((problem) => problem.question)
    const training = new Set(questions(1, 20_000))
    const shared = questions(2, 1000).filter((question) => training.has(question)).length
    expect(shared).toBeLessThan(60)
  })
})

describe('the checker of equations', () => {
  it('finds a wrong sum, a wrong chain and a wrong fraction', () => {
    for (const wrong of [
      '2 + 2 = 5.',
      'So 3 * 4 = 12 = 13.',
      '1/2 + 1/3 = 4/6',
      '(-3) * 4 = 12',
      '5 - 7 = 2',
    ])
      expect(equationsHold(wrong), wrong).toBe(false)
    for (const right of [
      '2 + 2 = 4.',
      '3 × 4 = 12 = 6 + 6',
      '1/2 + 1/3 = 5/6',
      '(-3) * 4 = -12',
      '5 - 7 = -2',
    ])
      expect(equationsHold(right), right).toBe(true)
  })

  it('leaves equations with unknowns alone', () => {
    expect(equationsIn('2x + 3 = 7, so x = 2 and 7y - 14 = -7, n^2 = 9')).toEqual([])
  })

  it('follows the order of operations', () => {
    expect(evaluate('2 + 3 * (4 - 1) / 2')).toBe(6.5)
    expect(evaluate('2 + ')).toBeNaN()
    expect(evaluate('10 - 4 - 3')).toBe(3)
  })
})
