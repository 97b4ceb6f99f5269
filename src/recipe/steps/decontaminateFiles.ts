import { basename, resolve } from 'node:path'
import { decontaminationRule } from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { readJsonLines } from '../../files/jsonl.ts'
import type { StepKind } from '../step.ts'
import { curateStep, documentsOf, writeJson } from './curation.ts'

export interface DecontaminateFilesConfig {
  /** JSON lines with the items of benchmarks: all their texts count. */
  against: readonly string[]
  ngram: number
}

/** Drops documents that hold an item of a benchmark file; contamination.json says which items were found. */
export const decontaminateFilesStep: StepKind<DecontaminateFilesConfig> = {
  kind: 'decontaminate-files',
  version: 1,
  resumes: false,
  async run(work) {
    const { against, ngram } = work.config
    const items: { id: string; text: string }[] = []
    for (const file of against) items.push(...(await itemsOf(resolve(work.places.baseDir, file))))
    const rule = decontaminationRule({ items, ngram })
    const result = await curateStep(work, documentsOf(work), [rule])
    const report = rule.report()
    await writeJson(work, 'contamination.json', report)
    const found = Object.keys(report.byItem).length
    return { ...result, counts: { ...result.counts, items: items.length, itemsFound: found } }
  },
}

async function itemsOf(path: string): Promise<{ id: string; text: string }[]> {
  const items: { id: string; text: string }[] = []
  for await (const { line, value } of readJsonLines(path)) {
    const { id, text } = itemText(value)
    if (text === '') {
      throw new SmolforgeError('input', 'An item of a benchmark is an object with texts', {
        place: { file: path, line },
      })
    }
    items.push({ id: `${basename(path)}:${id ?? line}`, text })
  }
  return items
}

/** Question and answer in the order of the fields, whatever they are called; an id is no text. */
function itemText(value: unknown): { id?: string; text: string } {
  if (typeof value !== 'object' || value === null) return { text: '' }
  const fields = Object.entries(value)
  const id = fields.find(([name]) => name === 'id' || name === 'task_id')?.[1]
  const texts = fields
    .filter(([name, field]) => typeof field === 'string' && !/^(?:id|task_id|url|source|split)$/.test(name))
    .map(([, field]) => field as string)
  return { id: id === undefined ? undefined : String(id), text: texts.join('\n') }
}
