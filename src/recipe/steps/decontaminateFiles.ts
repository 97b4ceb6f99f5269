import { join, resolve } from 'node:path'
import { decontaminateFile, keep, type Rule, type Verdict } from '../../curate/index.ts'
import { readJsonLines } from '../../files/jsonl.ts'
import type { StepKind } from '../step.ts'
import { curateStep, DOCUMENTS, documentsOf } from './curation.ts'

export interface DecontaminateFilesConfig {
  /** JSON lines with the items of benchmarks, of any form. */
  against: readonly string[]
  ngram: number
  /** Only documents go that hold so large a share of an item's words in their order. */
  minSubsequence?: number
}

/** Drops documents that hold an item of a benchmark file; contamination.json and .md show the passages by item. */
export const decontaminateFilesStep: StepKind<DecontaminateFilesConfig> = {
  kind: 'decontaminate-files',
  version: 1,
  resumes: false,
  async run(work) {
    const { against, ngram, minSubsequence } = work.config
    const verdicts = join(work.folder, 'verdicts.jsonl')
    const report = await decontaminateFile({
      input: join(work.inputs[Object.keys(work.inputs)[0]], DOCUMENTS),
      against: against.map((file) => resolve(work.places.baseDir, file)),
      output: verdicts,
      ngram,
      minSubsequence,
      report: join(work.folder, 'contamination.json'),
      threads: work.places.threads || undefined,
      stop: work.stop,
    })
    const result = await curateStep(work, documentsOf(work), [await rememberedRule(verdicts)])
    const items = report.against.reduce((sum, file) => sum + file.items, 0)
    return { ...result, counts: { ...result.counts, items, itemsFound: report.items.length } }
  },
}

/** Says again what a file of verdicts says of the same documents. */
async function rememberedRule(path: string): Promise<Rule> {
  const drops = new Map<string, Verdict>()
  for await (const { value } of readJsonLines(path)) {
    const line = value as { id: string; keep: boolean; rule: string; value: number; item: string }
    if (line.keep) continue
    drops.set(line.id, { keep: false, rule: line.rule, value: line.value, detail: { item: line.item } })
  }
  return { name: 'decontamination', judge: (batch) => batch.map(({ id }) => drops.get(id) ?? keep) }
}
