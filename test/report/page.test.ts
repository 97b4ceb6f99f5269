import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeReport } from '../../src/report/index.ts'
import { browserRuns, openBrowser, watchPage } from '../browser.ts'
import { writeFixtureRun } from './fixture-run.ts'

const SECTIONS = [
  'Where the text came from',
  'From raw text to training text',
  'What it was trained on, stage by stage',
  'How training went',
  'Against baselines, on the same held-out bytes',
  'What it can do',
  'What it says',
  'Was the candidate worth adding?',
  'From base model to chat model',
  'Where the time went',
  'Machine, versions, model',
  'Warnings',
  'Do it again, and talk to it',
]

/** Runs in the page: everything that a reader would see as broken. */
const INSPECT = `(() => {
  const paths = [...document.querySelectorAll('.chart svg path')].map((path) => path.getAttribute('d') ?? '')
  return {
    headings: [...document.querySelectorAll('main h2')].map((heading) => heading.textContent),
    charts: document.querySelectorAll('.chart').length,
    drawn: [...document.querySelectorAll('.chart')].filter((chart) => chart.querySelector('svg')).length,
    named: [...document.querySelectorAll('[role=img]')].every((one) => one.getAttribute('aria-label')),
    paths: paths.length,
    broken: paths.filter((d) => /NaN|Infinity|undefined/.test(d)).length,
    text: document.body.innerText,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    hijacked: 'broken' in window,
    empty: document.querySelectorAll('.empty').length,
  }
})()`

interface Inspection {
  headings: string[]
  charts: number
  drawn: number
  named: boolean
  paths: number
  broken: number
  text: string
  overflow: number
  hijacked: boolean
  empty: number
}

describe.runIf(browserRuns)('the report page in a real browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'smolforge-report-'))
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

  async function look(htmlPath: string, width: number, colorScheme: 'light' | 'dark', name: string) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme })
    const page = await context.newPage()
    const seen = watchPage(page)
    await page.goto(pathToFileURL(htmlPath).href)
    await page.waitForFunction('[...document.querySelectorAll(".chart")].every((c) => c.firstChild)')
    await page.evaluate('document.querySelectorAll("details").forEach((one) => { one.open = true })')
    const open = await page.evaluate<Inspection>(INSPECT)
    await page.evaluate('document.querySelectorAll("details").forEach((one) => { one.open = false })')
    await page.screenshot({ path: join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: true })
    await context.close()
    return { ...open, ...seen }
  }

  const windows = [
    [1400, 'light'],
    [1400, 'dark'],
    [390, 'light'],
    [390, 'dark'],
  ] as const

  it('shows a whole run without an error, a request or a sideways scroll, wide and narrow, light and dark', async () => {
    const runDir = join(folder, 'whole')
    writeFixtureRun(runDir)
    const { htmlPath } = await writeReport(runDir)
    expect(statSync(htmlPath).size).toBeLessThan(1_500_000)
    for (const [width, scheme] of windows) {
      const seen = await look(htmlPath, width, scheme, 'whole')
      expect(seen.problems).toEqual([])
      expect(seen.requests).toEqual([pathToFileURL(htmlPath).href])
      expect(seen.overflow).toBe(0)
      expect(seen.headings).toEqual(SECTIONS)
      expect(seen.empty).toBe(0)
      expect(seen.charts).toBeGreaterThanOrEqual(12)
      expect(seen.drawn).toBe(seen.charts)
      expect(seen.named).toBe(true)
      expect(seen.paths).toBeGreaterThan(20)
      expect(seen.broken).toBe(0)
      expect(seen.hijacked).toBe(false)
      expect(seen.text).not.toMatch(/NaN|undefined|\[object/)
      expect(seen.text).toContain('</script><script>window.broken = 1</script>')
    }
  })

  it('shows an unfinished run and says what is missing', async () => {
    const runDir = join(folder, 'unfinished')
    writeFixtureRun(runDir, 'only-read')
    const { htmlPath } = await writeReport(runDir)
    const seen = await look(htmlPath, 1400, 'light', 'unfinished')
    expect(seen.problems).toEqual([])
    expect(seen.headings).toEqual(SECTIONS)
    expect(seen.text).toContain('The run is not finished')
    expect(seen.text).toContain('Pretraining has not begun yet.')
    expect(seen.text).not.toMatch(/NaN|undefined|\[object/)
    expect(readFileSync(join(runDir, 'report.json'), 'utf8')).toContain('"finished": false')
  })
})
