import { resolve } from 'node:path'
import { FastTextModel, fastTextDetector, languageRule, onlyFor } from '../../curate/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind } from '../step.ts'
import { curateStep, documentsOf } from './curation.ts'

/** Keeps documents in the wanted languages. */
export const languageStep: StepKind<NonNullable<Recipe['curate']['language']>> = {
  kind: 'language',
  version: 1,
  resumes: false,
  async run(work) {
    const { domains, keep, minScore, model } = work.config
    const path = model && resolve(work.places.baseDir, model)
    const detector = path ? fastTextDetector(FastTextModel.load(path)) : undefined
    const rule = languageRule({ keep, minScore, detector })
    return curateStep(work, documentsOf(work), [domains ? onlyFor(rule, { domains }) : rule])
  },
}
