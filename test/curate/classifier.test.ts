import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  applyRules,
  classifierRule,
  type LabelledText,
  LinearClassifier,
  readLabels,
  scoreThreshold,
  seedLabels,
  trainClassifier,
} from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { collect, document, streamOf } from './documents.ts'

const FILLER = ['blue', 'house', 'seven', 'walk', 'often', 'table', 'from', 'under', 'paper', 'quick']
const GOOD = ['because', 'therefore', 'theorem', 'example']
const BAD = ['casino', 'click', 'unsubscribe', 'discount']

/** Texts of filler words with more good than bad words the higher the label. */
function examples(count: number, highest: number, seed = 1): LabelledText[] {
  const random = new Random(seed)
  return Array.from({ length: count }, () => {
    const label = random.int(highest + 1)
    const words = Array.from({ length: 60 }, () => {
      if (random.float() > 0.3) return random.pick(FILLER)
      return random.pick(random.float() < label / highest ? GOOD : BAD)
    })
    return { text: words.join(' '), label }
  })
}

const texts = (labelled: readonly LabelledText[]) => labelled.map(({ text }) => text)

describe('trainClassifier', () => {
  it('learns a yes/no question that words answer', () => {
    const { evaluation, header } = trainClassifier(examples(600, 1), { seed: 1, heldOutFraction: 0.2 })
    expect(header.kind).toBe('logistic')
    expect(evaluation).toMatchObject({
      trainingExamples: 480,
      heldOutExamples: 120,
      threshold: 0.5,
      levels: [0, 1],
    })
    expect(evaluation.f1).toBeGreaterThan(0.98)
    expect(evaluation.confusion.flat().reduce((sum, count) => sum + count)).toBe(120)
    expect(evaluation.calibration.reduce((sum, { examples }) => sum + examples, 0)).toBe(120)
  })

  it('learns a scale from 0 to 5', () => {
    const classifier = trainClassifier(examples(2000, 5), { seed: 1 })
    expect(classifier.header.kind).toBe('regression')
    expect(classifier.evaluation.threshold).toBe(2.5)
    expect(classifier.evaluation.f1).toBeGreaterThan(0.85)
    expect(classifier.evaluation.meanAbsoluteError).toBeLessThan(0.7)
    const scores = classifier.score(texts(examples(100, 5, 9)))
    expect(scores.every((score) => score >= 0 && score <= 5)).toBe(true)
  })

  it('gives the same bits for the same seed', () => {
    const [one, two] = [1, 1].map((seed) => trainClassifier(examples(200, 5), { seed }))
    const unseen = texts(examples(50, 5, 7))
    expect(one.score(unseen)).toEqual(two.score(unseen))
    expect(one.evaluation).toEqual(two.evaluation)
  })

  it('says what is missing when it cannot learn', () => {
    expect(() => trainClassifier([], { seed: 1 })).toThrow('A classifier cannot learn from 0 examples')
    const same = examples(9, 1).map(({ text }) => ({ text, label: 2 }))
    expect(() => trainClassifier(same, { seed: 1 })).toThrow('9 examples that all have the label 2')
  })
})

describe('the file of a classifier', () => {
  it('gives the same scores after saving and loading', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'classifier-')), 'edu.cls')
    const classifier = trainClassifier(examples(200, 5), { seed: 1 })
    await classifier.save(path)
    const loaded = await LinearClassifier.load(path)
    const unseen = [...texts(examples(50, 5, 7)), '', '日本語']
    expect(loaded.score(unseen)).toEqual(classifier.score(unseen))
    expect(loaded.header).toEqual(classifier.header)
  })

  it('is refused when a byte has changed, when it is cut, and when it is another file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'classifier-'))
    const path = join(folder, 'edu.cls')
    await trainClassifier(examples(20, 1), { seed: 1 }).save(path)
    const bytes = await readFile(path)
    bytes[bytes.length >> 1] ^= 1
    await writeFile(path, bytes)
    await expect(LinearClassifier.load(path)).rejects.toMatchObject({
      code: 'damaged',
      place: { file: path },
    })
    await writeFile(path, bytes.subarray(0, 20))
    await expect(LinearClassifier.load(path)).rejects.toMatchObject({ code: 'damaged' })
    await writeFile(path, 'no classifier')
    await expect(LinearClassifier.load(path)).rejects.toMatchObject({ code: 'input' })
    await expect(LinearClassifier.load(join(folder, 'none'))).rejects.toMatchObject({ code: 'input' })
  })
})

describe('classifierRule', () => {
  const classifier = { score: (texts: readonly string[]) => Float64Array.from(texts, (text) => text.length) }
  const documents = Array.from({ length: 10 }, (_, i) => document('x'.repeat(i + 1)))

  it('keeps what reaches the threshold and writes the score on it', async () => {
    const { kept, funnel } = applyRules(streamOf(documents), [classifierRule({ classifier, threshold: 4 })])
    expect((await collect(kept)).map(({ scores }) => scores.edu)).toEqual([4, 5, 6, 7, 8, 9, 10])
    expect(funnel().dropped['classifier.edu'].documents).toBe(3)
  })

  it('finds the threshold that keeps a share', async () => {
    expect(await scoreThreshold(classifier, streamOf(documents), 0.3)).toBe(8)
    expect(await scoreThreshold(classifier, streamOf(documents), 1)).toBe(1)
    expect(await scoreThreshold(classifier, streamOf(documents), 0)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('labels', () => {
  it('are read from a file, and a bad line is named', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'labels-')), 'labels.jsonl')
    await writeFile(path, '{"text":"a","label":3}\n{"text":"b","label":0}\n')
    expect(await readLabels(path)).toEqual([
      { text: 'a', label: 3 },
      { text: 'b', label: 0 },
    ])
    await writeFile(path, '{"text":"a","label":3}\n{"text":"b"}\n')
    await expect(readLabels(path)).rejects.toMatchObject({ code: 'input', place: { file: path, line: 2 } })
  })

  it('rank an explanation above a menu, a licence and a table', () => {
    const lesson = `# Fractions

A fraction is a number that names a part of a whole. For example, one half means that a whole is cut in two equal
parts and you have one of them. The lower number is called the denominator because it denominates the parts.

To add two fractions, first make the denominators equal, then add the numerators. Suppose you want to add one half and
one third. We have 3 sixths and 2 sixths, so that the sum is five sixths. In other words, 3 + 2 = 5 of the six parts.

Finally, check the answer: it is less than one, as you would expect, since both parts together leave a sixth.`
    const menu = 'Home\nAbout\nContact\nShop\nCart\nLogin\n'.repeat(3)
    const table = Array.from({ length: 40 }, (_, i) => `${i} ${i * 17} ${i * 31}`).join('\n')
    const licence =
      'Copyright (c) 2020. All rights reserved. Permission is hereby granted, free of charge, to any person, without warranty of any kind.'
    const [good, ...bad] = seedLabels([lesson, menu, table, licence, ''])
    expect(good).toBeGreaterThanOrEqual(4)
    for (const label of bad) expect(label).toBeLessThanOrEqual(1)
  })
})
