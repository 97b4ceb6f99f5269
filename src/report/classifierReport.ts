import { writeFileAtomic } from '../files/atomic.ts'
import type { ClassifierReport } from './classifierData.ts'
import { fillPage, readPage } from './pageTemplate.ts'

/** Writes one HTML file that needs nothing else, by one rename. */
export async function writeClassifierReport(path: string, report: ClassifierReport): Promise<void> {
  await writeFileAtomic(path, fillPage(await readPage('classifier'), report.name, report))
}
