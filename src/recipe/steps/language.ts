import { languageRule, onlyFor } from '../../curate/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind } from '../step.ts'
import { curateStep, documentsOf } from './curation.ts'

/** Keeps documents in the wanted languages. */
export const languageStep: StepKind<NonNullable<Recipe['curate']['language']>> = {
  kind: 'language',
  version: 1,
  resumes: false,
  async run(work) {
    const { domains, keep, minScore } = work.config
    const rule = languageRule({ keep, minScore })
    return curateStep(work, documentsOf(work), [domains ? onlyFor(rule, { domains }) : rule])
  },
}
