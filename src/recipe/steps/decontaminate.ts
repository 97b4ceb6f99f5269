import { decontaminationRule } from '../../curate/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind } from '../step.ts'
import { curateStep, documentsOf, writeJson } from './curation.ts'
import { itemTexts, readEvalItems } from './evalItems.ts'

/** Drops training documents that hold an evaluation item of this run. */
export const decontaminateStep: StepKind<Recipe['curate']['decontaminate']> = {
  kind: 'decontaminate',
  version: 1,
  resumes: false,
  async run(work) {
    const items = itemTexts(await readEvalItems(work.inputs['eval-items']))
    const rule = decontaminationRule({ items, ngram: work.config.ngram })
    const result = await curateStep(work, documentsOf(work, 'split'), [rule])
    const report = rule.report()
    await writeJson(work, 'contamination.json', report)
    return {
      ...result,
      counts: { ...result.counts, items: items.length, itemsFound: Object.keys(report.byItem).length },
    }
  },
}
