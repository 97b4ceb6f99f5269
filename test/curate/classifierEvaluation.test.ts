import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  type Encoder,
  evaluateClassifier,
  type LabelledText,
  LinearClassifier,
  loadClassifier,
  OTHER_DOMAINS,
  readLabelLines,
  ScoreSurveyor,
  ThresholdFinder,
  trainClassifier,
  trainEmbeddingClassifier,
} from '../../src/curate/index.ts'
import { fitRidge, predict } from '../../src/curate/ridge.ts'
import { Random } from '../../src/random/random.ts'

const pair = (label: number, score: number) => ({ text: `label ${label}, score ${score}`, label, score })
const evaluate = (pairs: { text: string; label: number; score: number }[], threshold = 2.5) =>
  evaluateClassifier(
    pairs,
    Float64Array.from(pairs, ({ score }) => score),
    { trainingExamples: 9, threshold },
  )

describe('the evaluation of a classifier', () => {
  // Good and found 6, good and missed 2, called good and not 1, neither 3.
  const pairs = [
    ...Array.from({ length: 6 }, () => pair(4, 3.5)),
    ...Array.from({ length: 2 }, () => pair(4, 2)),
    pair(1, 3),
    ...Array.from({ length: 3 }, () => pair(1, 1.5)),
  ]

  it('counts precision, recall and F1 with their intervals', () => {
    const { precision, recall, f1, intervals } = evaluate(pairs)
    expect([precision, recall]).toEqual([6 / 7, 6 / 8])
    expect(f1).toBeCloseTo(0.8, 12)
    // Wilson's interval of 6 in 9 is 0.354 to 0.879; of F1 = 2j / (1 + j) it is:
    expect(intervals.f1.low).toBeCloseTo((2 * 0.3542) / 1.3542, 3)
    expect(intervals.f1.high).toBeCloseTo((2 * 0.8794) / 1.8794, 3)
    expect(intervals.recall.low).toBeCloseTo(0.409, 3)
  })

  it('says what each threshold keeps and loses', () => {
    const { thresholds } = evaluate(pairs)
    expect(thresholds).toHaveLength(21)
    expect(thresholds[0]).toMatchObject({
      threshold: 1,
      kept: 1,
      recall: 1,
      precision: 8 / 12,
      meanLabelKept: 3,
    })
    const at = (wanted: number) => thresholds.find(({ threshold }) => Math.abs(threshold - wanted) < 1e-9)
    expect(at(2.5)).toMatchObject({ kept: 7 / 12, precision: 6 / 7, recall: 6 / 8 })
    expect(at(3.25)).toMatchObject({ kept: 6 / 12, precision: 1, recall: 6 / 8, meanLabelKept: 4 })
    expect(thresholds.at(-1)).toMatchObject({ threshold: 4, kept: 0, recall: 0, f1: 0, meanLabelKept: 0 })
  })

  it('weighs how far scores and labels lie apart in each bin', () => {
    const { calibration, expectedCalibrationError } = evaluate(pairs)
    expect(calibration.map(({ examples }) => examples)).toEqual([0, 3, 0, 2, 0, 0, 1, 0, 6, 0])
    expect(expectedCalibrationError).toBeCloseTo((3 * 0.5 + 2 * 2 + 1 * 2 + 6 * 0.5) / 12)
  })

  it('takes scores of another model as labels: whole numbers are the levels then', () => {
    const random = new Random(3)
    const scores = Array.from({ length: 200 }, () => 5 * random.float())
    const { levels, confusion, f1, spearman } = evaluate(scores.map((score) => pair(score, score)))
    expect(levels).toEqual([0, 1, 2, 3, 4, 5])
    expect(confusion.flat().reduce((sum, n) => sum + n)).toBe(200)
    expect(confusion.every((row, i) => row.every((n, j) => n === 0 || i === j))).toBe(true)
    expect([f1, spearman]).toEqual([1, 1])
  })

  it('has numbers and no holes with no example at all', () => {
    expect(JSON.stringify(evaluate([]))).not.toContain('null')
  })
})

describe('ridge regression', () => {
  it('finds the plane that the targets lie on', () => {
    const random = new Random(1)
    const rows = Float32Array.from({ length: 300 * 3 }, () => 10 + random.normal())
    const targets = Float64Array.from(
      { length: 300 },
      (_, i) => 2 * rows[3 * i] - 3 * rows[3 * i + 1] + 0.5 * rows[3 * i + 2] + 7,
    )
    const fit = fitRidge(rows, 3, targets)
    expect(fit.penalty).toBe(1e-4)
    for (const [i, wanted] of [2, -3, 0.5].entries()) expect(fit.weights[i]).toBeCloseTo(wanted, 2)
    for (let row = 0; row < 300; row++) expect(predict(fit, rows, 3, row)).toBeCloseTo(targets[row], 1)
  })

  it('takes a strong penalty where features are noise, and stands features that never vary', () => {
    const random = new Random(2)
    const width = 40
    const rows = Float32Array.from({ length: 60 * width }, (_, i) => (i % width === 0 ? 1 : random.normal()))
    const targets = Float64Array.from({ length: 60 }, () => 3 + random.normal())
    const fit = fitRidge(rows, width, targets)
    expect(fit.penalty).toBeGreaterThanOrEqual(1)
    expect(fit.weights[0]).toBeCloseTo(0)
    const same = fitRidge(new Float32Array(8), 2, Float64Array.of(1, 2, 3, 4))
    expect(same.bias + [...same.weights].reduce((sum, x) => sum + x)).toBeCloseTo(2.5)
  })
})

/** As an encoder sees it: how many vowels, how long, and a constant. */
const vowels: Encoder = {
  reference: { path: 'vowels', sha256: 'ab', pooling: 'mean', maxTokens: 9, width: 3 },
  embed: (texts) =>
    Float32Array.from(
      texts.flatMap((text) => [text.replace(/[^aeiou]/g, '').length / text.length, text.length, 1]),
    ),
}

function vowelExamples(count: number): LabelledText[] {
  const random = new Random(4)
  return Array.from({ length: count }, () => {
    const label = random.int(6)
    const text = Array.from({ length: 50 }, () =>
      random.pick([...(random.float() < label / 6 ? 'aeiou' : 'bcdfg')]),
    ).join('')
    return { text, label }
  })
}

describe('a classifier on embeddings', () => {
  it('learns what the embeddings tell, and comes back from its file with its encoder', async () => {
    const classifier = await trainEmbeddingClassifier(vowelExamples(500), vowels, { seed: 1 })
    expect(classifier.evaluation).toMatchObject({ trainingExamples: 450, heldOutExamples: 50 })
    expect(classifier.evaluation.f1).toBeGreaterThan(0.9)
    const path = join(await mkdtemp(join(tmpdir(), 'embedding-')), 'classifier.bin')
    await classifier.save(path)
    const loaded = await loadClassifier(path, async (reference) => {
      expect(reference).toEqual(vowels.reference)
      return vowels
    })
    expect(loaded.score(['aeiou', 'bcdfg'])).toEqual(classifier.score(['aeiou', 'bcdfg']))
    await expect(LinearClassifier.load(path)).rejects.toMatchObject({ code: 'input' })
  })

  it('refuses another encoder', async () => {
    const classifier = await trainEmbeddingClassifier(vowelExamples(50), vowels, { seed: 1 })
    const path = join(await mkdtemp(join(tmpdir(), 'embedding-')), 'classifier.bin')
    await classifier.save(path)
    const other = { ...vowels, reference: { ...vowels.reference, sha256: 'cd' } }
    await expect(loadClassifier(path, async () => other)).rejects.toMatchObject({
      code: 'input',
      message: 'This is not the encoder that the classifier was trained on',
    })
  })
})

describe('character n-grams', () => {
  it('tell words apart that whole words do not, and are kept in the file', async () => {
    const random = new Random(6)
    const stem = () => Array.from({ length: 6 }, () => random.pick([...'abcdefghijkl'])).join('')
    const examples = Array.from({ length: 400 }, (_, i) => ({
      text: Array.from({ length: 8 }, () => `${stem()}${i % 2 === 0 ? 'ung' : 'ost'}`).join(' '),
      label: i % 2,
    }))
    const words = trainClassifier(examples, { seed: 1, heldOutFraction: 0.25 })
    const letters = trainClassifier(examples, { seed: 1, heldOutFraction: 0.25, characters: [3, 5] })
    expect(words.evaluation.accuracy).toBeLessThan(0.75)
    expect(letters.evaluation.accuracy).toBeGreaterThan(0.95)
    const path = join(await mkdtemp(join(tmpdir(), 'letters-')), 'letters.bin')
    await letters.save(path)
    const texts = examples.map(({ text }) => text)
    expect((await LinearClassifier.load(path)).score(texts)).toEqual(letters.score(texts))
    expect(letters.score(texts, { threads: 1 })).toEqual(letters.score(texts, { threads: 2 }))
  })
})

describe('the survey of scores', () => {
  const scores = Float64Array.from({ length: 5000 }, (_, i) => 5 * new Random(`${i % 900}`).float())

  it('counts every document once, by bin and by domain, few domains by name', () => {
    const surveyor = new ScoreSurveyor({ lowest: 0, highest: 5 })
    for (const [i, score] of scores.entries())
      surveyor.add({ id: `${i}`, text: 'éé', domain: `d${i % 30}` }, score)
    surveyor.add({ id: 'low', text: '' }, -1)
    surveyor.add({ id: 'high', text: '' }, 5)
    const { documents, bytes, bins } = surveyor.survey()
    expect([documents, bytes]).toEqual([5002, 20_000])
    expect(bins.reduce((sum, bin) => sum + bin.documents, 0)).toBe(5002)
    expect(new Set(bins.flatMap((bin) => Object.keys(bin.byDomain))).size).toBe(13)
    expect(bins[0].byDomain[OTHER_DOMAINS].documents).toBeGreaterThan(0)
    for (const bin of bins) {
      expect(Object.values(bin.byDomain).reduce((sum, one) => sum + one.documents, 0)).toBe(bin.documents)
      expect(bin.examples.length).toBeLessThanOrEqual(3)
    }
  })

  it('finds the threshold that keeps a share, in fixed memory', () => {
    const finder = new ThresholdFinder({ lowest: 0, highest: 5 })
    for (const score of scores) finder.add(score)
    for (const share of [0.01, 0.3, 0.5, 0.9, 1]) {
      const threshold = finder.threshold(share)
      const kept = scores.filter((score) => score >= threshold).length / scores.length
      expect(kept).toBeGreaterThanOrEqual(share)
      // Each score is there five or six times.
      expect(kept).toBeLessThan(share + 0.004)
    }
    expect(finder.threshold(0)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('lines of labels', () => {
  it('name a document or hold it; scores are labels; what a judge failed at is passed over', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'labels-')), 'labels.jsonl')
    const read = async () => {
      const lines = []
      for await (const { line, label, id, text } of readLabelLines(path))
        lines.push([line, label, id ?? text])
      return lines
    }
    await writeFile(
      path,
      '{"id":"a","label":3,"textHash":"00"}\n{"id":7,"score":1.5}\n\n{"id":"x","label":null,"failure":"HTTP 500"}\n{"text":"t","label":0}\n',
    )
    expect(await read()).toEqual([
      [1, 3, 'a'],
      [2, 1.5, '7'],
      [5, 0, 't'],
    ])
    for (const wrong of ['{"label":3}', '{"id":"a"}', '{"id":"a","label":"3"}', 'x', '[1]']) {
      await writeFile(path, `{"id":"a","label":3}\n${wrong}\n`)
      await expect(read()).rejects.toMatchObject({ code: 'input', place: { file: path, line: 2 } })
    }
  })
})
