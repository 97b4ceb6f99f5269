import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FastTextModel, fastTextDetector, fastTextRule, languageRule } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { document } from './documents.ts'
import { encodeModel, type SlowModel, slowPredict } from './slowFastText.ts'

const folder = mkdtempSync(join(tmpdir(), 'smolforge-fasttext-'))
const python = process.env.SMOLFORGE_TEST_PYTHON

const VOCABULARY = [...'abcdefgh'].map((letter) => letter.repeat(3)).concat('日本語', 'straße', '</s>')

function randomModel(random: Random, loss: SlowModel['loss'], labels = 7): SlowModel {
  const dimensions = 6
  const buckets = 50
  const matrix = (rows: number) =>
    Array.from({ length: rows }, () =>
      Array.from({ length: dimensions }, () => Math.fround(4 * random.float() - 2)),
    )
  return {
    dimensions,
    buckets,
    loss,
    wordNgrams: 3,
    shortest: 2,
    longest: 4,
    words: VOCABULARY.map((word, i) => [word, 100 - i]),
    labels: Array.from({ length: labels }, (_, i) => [`__label__${i}`, 50 - 5 * i]),
    input: matrix(VOCABULARY.length + buckets),
    output: matrix(labels),
  }
}

function load(bytes: Buffer, name = 'model.bin'): FastTextModel {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return FastTextModel.load(path)
}

describe('a fastText model', () => {
  it('gives the probabilities of the slow reference for every loss', async () => {
    const random = new Random(3)
    const pieces = [...VOCABULARY, 'unknown', 'ünïcödé', '__label__1', '\n', '\t\t', '漢', 'x']
    for (const loss of [1, 2, 3, 4] as const) {
      const slow = randomModel(random, loss)
      const model = load(encodeModel(slow))
      const texts = Array.from({ length: 60 }, () => {
        return Array.from({ length: random.int(12) }, () => pieces[random.int(pieces.length)]).join(' ')
      })
      const found = await model.predict(texts, { k: 7 })
      texts.forEach((text, i) => {
        const expected = new Map(slowPredict(slow, text))
        const close = found[i].every(({ label, probability }) => {
          // A label on the edge of a step of the sigmoid table may fall on either side.
          const slack = loss === 2 || loss === 4 ? 8e-3 : 1e-5
          return Math.abs(probability - (expected.get(label) ?? 9)) < slack
        })
        expect(close, `loss ${loss}: ${JSON.stringify(text)}`).toBe(true)
        expect(found[i].length).toBe(expected.size)
      })
    }
  })

  it('finds the same with one thread and with many, and heeds k and the threshold', async () => {
    const model = load(encodeModel(randomModel(new Random(5), 3)))
    const texts = Array.from({ length: 200 }, (_, i) => VOCABULARY.slice(0, i % 11).join(' '))
    const all = await model.predict(texts, { k: 7, threads: 1 })
    expect(await model.predict(texts, { k: 7, threads: 4 })).toEqual(all)
    expect(await model.predict(texts, { k: 2, threshold: 0.2 })).toEqual(
      all.map((labels) => labels.slice(0, 2).filter(({ probability }) => probability >= 0.2)),
    )
  })

  it('refuses every damaged file with one clear error', async () => {
    const whole = encodeModel(randomModel(new Random(1), 3))
    const random = new Random(11)
    for (let i = 0; i < 300; i++) {
      const bytes = Buffer.from(whole)
      if (i % 2 === 0) bytes[random.int(200)] = random.int(256)
      const cut = i % 2 === 0 ? bytes : bytes.subarray(0, random.int(bytes.length))
      try {
        await load(cut).predict(['aaa bbb'], { k: 3 })
      } catch (error) {
        expect(error).toMatchObject({ code: 'input', place: { file: expect.stringContaining('model.bin') } })
      }
    }
    expect(() => load(Buffer.from('no model at all'))).toThrow(/fastText's number/)
    expect(() => FastTextModel.load(join(folder, 'missing.bin'))).toThrow(/missing|no such/i)
  })

  it('names languages for the language rule, whatever form its labels have', async () => {
    const slow = randomModel(new Random(2), 3, 2)
    slow.labels = [
      ['__label__en', 9],
      ['__label__deu_Latn', 5],
    ]
    const detect = fastTextDetector(load(encodeModel(slow)))
    const texts = VOCABULARY.map((word) => `${word} ${word}`)
    const guesses = await detect(texts)
    expect(new Set(guesses.map(({ language }) => language))).toEqual(new Set(['eng', 'deu']))
    const rule = languageRule({ keep: ['en'], minScore: 0, detector: detect })
    const verdicts = await rule.judge(texts.map((text) => document(text)))
    expect(verdicts.map(({ keep }) => keep)).toEqual(guesses.map(({ language }) => language === 'eng'))
  })

  it('keeps and removes documents by the probability of a label', async () => {
    const slow = randomModel(new Random(8), 3, 2)
    slow.labels = [
      ['__label__hq', 9],
      ['__label__cc', 5],
    ]
    const model = load(encodeModel(slow))
    const batch = VOCABULARY.map((word) => document(word))
    const probability = (i: number) => new Map(slowPredict(slow, batch[i].text)).get('__label__hq') ?? 0
    const kept = await fastTextRule({ model, keepLabels: { hq: 0.6 } }).judge(batch)
    const removed = await fastTextRule({ model, removeLabels: { __label__cc: 0.6 } }).judge(batch)
    batch.forEach((_, i) => {
      expect(kept[i].keep).toBe(probability(i) >= 0.6)
      expect(removed[i].keep).toBe(1 - probability(i) < 0.6)
    })
    expect(kept.find(({ keep }) => keep)).toMatchObject({
      changes: { scores: { fastText: expect.any(Number) } },
    })
    expect(() => fastTextRule({ model, keepLabels: { good: 0.5 } })).toThrow(/no label good/)
  })
})

describe.skipIf(!python)('beside the fasttext wheel (SMOLFORGE_TEST_PYTHON)', () => {
  it('tells the same labels with the same probabilities, quantised models too', {
    timeout: 60_000,
  }, async () => {
    const script = join(import.meta.dirname, 'fastTextOracle.py')
    execFileSync(python as string, [script, folder], { stdio: ['ignore', 'ignore', 'inherit'] })
    const cases = JSON.parse(readFileSync(join(folder, 'oracle.json'), 'utf8')) as {
      texts: string[]
      models: Record<string, [string, number][][]>
    }
    expect(Object.keys(cases.models).length).toBe(8)
    for (const [name, expected] of Object.entries(cases.models)) {
      const model = FastTextModel.load(join(folder, name))
      const found = await model.predict(cases.texts, { k: 4 })
      cases.texts.forEach((text, i) => {
        const wanted = new Map(expected[i])
        expect(found[i].length, `${name}: ${text}`).toBe(wanted.size)
        found[i].forEach(({ label, probability }, k) => {
          expect(Math.abs(probability - (wanted.get(label) ?? 9)), `${name}: ${text}`).toBeLessThan(1e-5)
          // In the same order too, but for labels that are equally likely: fastText leaves theirs to its heap.
          expect(Math.abs(probability - expected[i][k][1]), `${name}: ${text}`).toBeLessThan(1e-5)
        })
      })
    }
  })
})
