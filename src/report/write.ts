import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileError, SmolforgeError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import { dataCard, modelCard } from './cards.ts'
import { collectReport } from './collect.ts'
import type { RunReport } from './data.ts'

const DATA_MARK = /(<script id="report-data" type="application\/json">)[^<]*(<\/script>)/

/**
 * Writes `report.json`, `report.html` and `data-card.md` into the folder of a run, finished or not, and the model card
 * (`README.md`) into its model's folder if there is one, each by one rename.
 *
 * @throws SmolforgeError `input` when the folder is no run, `environment` when the page was not built.
 */
export async function writeReport(
  runDir: string,
  options: { template?: string } = {},
): Promise<{ htmlPath: string; jsonPath: string; report: RunReport }> {
  const report = await collectReport(runDir)
  const html = fillTemplate(await readTemplate(options.template), report)
  const jsonPath = join(runDir, 'report.json')
  const htmlPath = join(runDir, 'report.html')
  await writeFileAtomic(jsonPath, `${JSON.stringify(report, null, 2)}\n`)
  await writeFileAtomic(htmlPath, html)
  await writeFileAtomic(join(runDir, 'data-card.md'), dataCard(report))
  if (existsSync(join(runDir, 'model/config.json'))) {
    await writeFileAtomic(join(runDir, 'model/README.md'), modelCard(report))
  }
  return { htmlPath, jsonPath, report }
}

/** The page with the data in it. Documents are strangers' text: nothing in them may end the script element. */
export function fillTemplate(template: string, report: RunReport): string {
  const data = JSON.stringify(report)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
  const title = `${report.name} · smolforge`.replace(/[<>&\p{Z}\p{C}]+/gu, ' ')
  return template
    .replace(/<title>[^<]*<\/title>/, () => `<title>${title}</title>`)
    .replace(DATA_MARK, (_, open: string, close: string) => `${open}${data}${close}`)
}

async function readTemplate(named: string | undefined): Promise<string> {
  const beside = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  // From dist/report/ when compiled, from src/report/ in a checkout.
  const path = named ?? [beside('../web/report.html'), beside('../../dist/web/report.html')].find(existsSync)
  if (path === undefined) {
    throw new SmolforgeError('environment', 'The report page was not built', {
      hint: 'Run: npm run build:web',
    })
  }
  try {
    const template = await readFile(path, 'utf8')
    if (DATA_MARK.test(template)) return template
  } catch (error) {
    throw fileError(error, path)
  }
  throw new SmolforgeError('damaged', 'This is not a report page: it has no place for the data', {
    place: { file: path },
    hint: 'Run: npm run build:web',
  })
}
