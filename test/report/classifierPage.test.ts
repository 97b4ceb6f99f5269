import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evaluateClassifier, ScoreSurveyor } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { type ClassifierReport, writeClassifierReport } from '../../src/report/index.ts'
import { browserRuns, openBrowser, watchPage } from '../browser.ts'

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

const INSPECT = `(() => {
  const paths = [...document.querySelectorAll('.chart svg path')].map((path) => path.getAttribute('d') ?? '')
  return {
    headings: [...document.querySelectorAll('main h2')].map((heading) => heading.textContent),
    charts: document.querySelectorAll('.chart').length,
    drawn: [...document.querySelectorAll('.chart')].filter((chart) => chart.querySelector('svg')).length,
    named: [...document.querySelectorAll('[role=img]')].every((one) => one.getAttribute('aria-label')),
    bars: document.querySelectorAll('.chart svg rect').length,
    broken: paths.filter((d) => /NaN|Infinity|undefined/.test(d)).length,
    text: document.body.innerText,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    hijacked: 'broken' in window,
  }
})()`

interface Inspection {
  headings: string[]
  charts: number
  drawn: number
  named: boolean
  bars: number
  broken: number
  text: string
  overflow: number
  hijacked: boolean
}

describe.runIf(browserRuns)('the page of a classifier in a real browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'smolforge-classifier-'))
  const shots = process.env.SMOLFORGE_SCREENSHOTS ?? folder
  let browser: Browser

  beforeAll(async () => {
    execFileSync(process.execPath, ['scripts/build.mjs', 'web'], { stdio: 'ignore' })
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  async function look(report: ClassifierReport, width: number, colorScheme: 'light' | 'dark', name: string) {
    const path = join(folder, `${name}.html`)
    await writeClassifierReport(path, report)
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme })
    const page = await context.newPage()
    const seen = watchPage(page)
    const url = pathToFileURL(path).href
    await page.goto(url)
    await page.waitForFunction('[...document.querySelectorAll(".chart")].every((c) => c.firstChild)')
    await page.screenshot({ path: join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: true })
    const inspection = await page.evaluate<Inspection>(INSPECT)
    await context.close()
    expect(seen.problems).toEqual([])
    expect(seen.requests).toEqual([url])
    expect(inspection.overflow).toBe(0)
    expect(inspection.drawn).toBe(inspection.charts)
    expect(inspection.named).toBe(true)
    expect(inspection.broken).toBe(0)
    expect(inspection.hijacked).toBe(false)
    expect(inspection.text).not.toMatch(/NaN|undefined|\[object/)
    return inspection
  }

  it('draws what each threshold keeps and loses, wide and narrow, light and dark, whatever the texts say', async () => {
    for (const [width, scheme] of [
      [1400, 'light'],
      [390, 'dark'],
    ] as const) {
      const seen = await look(fixtureReport(), width, scheme, 'classifier')
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
    const seen = await look(without, 1000, 'light', 'without-corpus')
    expect(seen.charts).toBe(2)
    expect(seen.text).toContain('classifier score --report')
    const evaluation = evaluateClassifier([], new Float64Array(0), { trainingExamples: 9, threshold: 2.5 })
    const empty = await look({ ...without, evaluation }, 1000, 'light', 'without-examples')
    expect(empty.text).toContain('No examples were held out.')
  })
})
