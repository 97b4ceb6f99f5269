import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeReport } from '../../src/report/index.ts'
import { browserRuns } from '../browser.ts'
import { writeFixtureRun } from './fixture-run.ts'
import { pageInBrowser } from './pageInBrowser.ts'

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

describe.runIf(browserRuns)('the report page in a real browser', () => {
  const { folder, look } = pageInBrowser('report')

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
    for (const [width, colorScheme] of windows) {
      const seen = await look(htmlPath, { width, colorScheme, name: 'whole', openDetails: true })
      expect(seen.headings).toEqual(SECTIONS)
      expect(seen.empty).toBe(0)
      expect(seen.charts).toBeGreaterThanOrEqual(12)
      expect(seen.paths).toBeGreaterThan(20)
      expect(seen.text).toContain('</script><script>window.broken = 1</script>')
    }
  })

  it('shows an unfinished run and says what is missing', async () => {
    const runDir = join(folder, 'unfinished')
    writeFixtureRun(runDir, 'only-read')
    const { htmlPath } = await writeReport(runDir)
    const view = { width: 1400, colorScheme: 'light', name: 'unfinished', openDetails: true } as const
    const seen = await look(htmlPath, view)
    expect(seen.headings).toEqual(SECTIONS)
    expect(seen.text).toContain('The run is not finished')
    expect(seen.text).toContain('Pretraining has not begun yet.')
    expect(readFileSync(join(runDir, 'report.json'), 'utf8')).toContain('"finished": false')
  })
})
