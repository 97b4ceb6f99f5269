// Takes the README's picture from a report: npx tsx test/report/picture.ts runs/quickstart/report.html docs/images/report.png
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openBrowser } from '../browser.ts'

const [reportPath, picturePath] = process.argv.slice(2)
if (reportPath === undefined || picturePath === undefined) throw new Error('Name a report and a picture')

const browser = await openBrowser()
const page = await browser.newPage({ viewport: { width: 1280, height: 1700 }, colorScheme: 'light' })
await page.goto(pathToFileURL(resolve(reportPath)).href)
// The picture is of the whole report's look: what is between the figures and the plots is left out, nothing is changed.
await page.addStyleTag({
  content: '#sources, #funnel, .decisions { display: none } main > section { margin-top: 44px }',
})
await page.waitForTimeout(300)
await page.screenshot({ path: picturePath })
await browser.close()
