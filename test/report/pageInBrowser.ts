import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'vitest'
import { browserForTests, watchPage } from '../browser.ts'

/** Runs in the page: everything that a reader would see as broken. */
const INSPECT = `(() => {
  const paths = [...document.querySelectorAll('.chart svg path')].map((path) => path.getAttribute('d') ?? '')
  return {
    headings: [...document.querySelectorAll('main h2')].map((heading) => heading.textContent),
    charts: document.querySelectorAll('.chart').length,
    drawn: [...document.querySelectorAll('.chart')].filter((chart) => chart.querySelector('svg')).length,
    named: [...document.querySelectorAll('[role=img]')].every((one) => one.getAttribute('aria-label')),
    paths: paths.length,
    bars: document.querySelectorAll('.chart svg rect').length,
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
  bars: number
  broken: number
  text: string
  overflow: number
  hijacked: boolean
  empty: number
}

/** A window in which a page is looked at. */
export interface View {
  width: number
  colorScheme: 'light' | 'dark'
  /** Of the screenshot. */
  name: string
  /** Inspect the page with all its details open; the screenshot is of the page as it opens. */
  openDetails?: boolean
}

/**
 * A browser for the tests of this file. `look` opens a page from the disk, takes a screenshot, and fails for what no
 * page may do: errors, requests, sideways scroll, charts without a picture or a name, text or script from strangers.
 */
export function pageInBrowser(prefix: string) {
  const { folder, shots, browser } = browserForTests(prefix)
  async function look(path: string, { width, colorScheme, name, openDetails }: View): Promise<Inspection> {
    const context = await browser().newContext({ viewport: { width, height: 900 }, colorScheme })
    const page = await context.newPage()
    const seen = watchPage(page)
    const url = pathToFileURL(path).href
    await page.goto(url)
    await page.waitForFunction('[...document.querySelectorAll(".chart")].every((c) => c.firstChild)')
    const setDetails = (open: boolean) =>
      page.evaluate(`document.querySelectorAll("details").forEach((one) => { one.open = ${open} })`)
    if (openDetails) await setDetails(true)
    const inspection = await page.evaluate<Inspection>(INSPECT)
    if (openDetails) await setDetails(false)
    await page.screenshot({ path: join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: true })
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
  return { folder, look }
}
