import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { evaluateClassifier, ScoreSurveyor } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { type ClassifierReport, writeClassifierReport } from '../../src/report/index.ts'
import { browserRuns } from '../browser.ts'
import { pageInBrowser, type View } from './pageInBrowser.ts'

const HOSTILE = '</script><script>window.broken = 1</script><b>bold</b>'

/** Labels from 0 to 5 and scores that come near them, of three domains. */
function fixtureReport(): ClassifierReport {
  const random = new Random(5)
  const kept: Record<string, { documents: number; bytes: number }> = {}
  const surveyor = new ScoreSurveyor({ lowest: 0, highest: 5 })
  const pairs = Array.from({ length: 600 }, (_, i) => {
    const label = random.int(6)
    const score = Math.min(5, Math.max(0, label + 1.6 * (random.float() - 0.5)))
    const domain = ['web', 'code', 'dialogue'][i % 3]
    const text = i === 7 ? HOSTILE : `text ${i} of ${domain}`
    const { bytes } = surveyor.add({ id: `d${i}`, text, domain }, score)
    if (score >= 2.5) {
      kept[domain] ??= { documents: 0, bytes: 0 }
      kept[domain].documents++
      kept[domain].bytes += bytes
    }
    return { text: i % 50 === 0 ? HOSTILE : `text ${i}`, label, score }
  })
  const scores = Float64Array.from(pairs, ({ score }) => score)
  return {
    format: 'smolforge-classifier',
    version: 1,
    name: `edu ${HOSTILE}`,
    madeAt: '2026-01-02T03:04:05Z',
    features: 'a linear model of hashed words',
    lowest: 0,
    highest: 5,
    threshold: 2.5,
    evaluation: evaluateClassifier(pairs, scores, { trainingExamples: 5000, threshold: 2.5 }),
    survey: surveyor.survey(),
    kept,
  }
}

describe.runIf(browserRuns)('the page of a classifier in a real browser', () => {
  const { folder, look } = pageInBrowser('classifier')

  async function lookAt(report: ClassifierReport, view: View) {
    const path = join(folder, `${view.name}.html`)
    await writeClassifierReport(path, report)
    return await look(path, view)
  }

  it('draws what each threshold keeps and loses, wide and narrow, light and dark, whatever the texts say', async () => {
    for (const [width, colorScheme] of [
      [1400, 'light'],
      [390, 'dark'],
    ] as const) {
      const seen = await lookAt(fixtureReport(), { width, colorScheme, name: 'classifier' })
      expect(seen.headings).toEqual([
        'Scores of the corpus',
        'What a threshold keeps and loses',
        'Scores against labels',
        'What it calls good and bad',
      ])
      expect(seen.charts).toBe(4)
      expect(seen.bars).toBeGreaterThan(60)
      expect(seen.text).toContain('Just dropped')
      expect(seen.text).toContain('</script><script>window.broken = 1</script>')
    }
  })

  it('draws a classifier that has scored no corpus, and one without held-out examples', async () => {
    const { survey: _, ...without } = fixtureReport()
    const view = { width: 1000, colorScheme: 'light' } as const
    const seen = await lookAt(without, { ...view, name: 'without-corpus' })
    expect(seen.charts).toBe(2)
    expect(seen.text).toContain('classifier score --report')
    const evaluation = evaluateClassifier([], new Float64Array(0), { trainingExamples: 9, threshold: 2.5 })
    const empty = await lookAt({ ...without, evaluation }, { ...view, name: 'without-examples' })
    expect(empty.text).toContain('No examples were held out.')
  })
})
