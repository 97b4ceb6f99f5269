import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../files/atomic.ts'
import { dataCard, modelCard } from './cards.ts'
import { collectReport } from './collect.ts'
import type { RunReport } from './data.ts'
import { fillPage, readPage } from './pageTemplate.ts'

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
  const html = fillTemplate(await readPage('report', options.template), report)
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

/** The page of a run with its data in it. */
export function fillTemplate(template: string, report: RunReport): string {
  return fillPage(template, report.name, report)
}
