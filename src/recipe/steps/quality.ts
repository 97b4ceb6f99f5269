import {
  c4Quality,
  codeQuality,
  fineWebQuality,
  gopherQuality,
  gopherRepetition,
  onlyFor,
  type Rule,
} from '../../curate/index.ts'
import type { Recipe } from '../schema.ts'
import type { QualityRules } from '../schemaCurate.ts'
import type { StepKind } from '../step.ts'
import { curateStep, documentsOf } from './curation.ts'

/** Heuristic rules, each group for its domains. */
export const qualityStep: StepKind<{ groups: NonNullable<Recipe['curate']['quality']> }> = {
  kind: 'quality',
  version: 2,
  resumes: false,
  async run(work) {
    const rules = work.config.groups.flatMap(({ domains, rules }) =>
      qualityRules(rules).map((rule) => (domains ? onlyFor(rule, { domains }) : rule)),
    )
    return curateStep(work, documentsOf(work), rules)
  },
}

/** In the order of FineWeb's pipeline. */
function qualityRules(rules: QualityRules): Rule[] {
  return [
    rules.gopherRepetition && gopherRepetition(rules.gopherRepetition),
    rules.gopherQuality && gopherQuality(rules.gopherQuality),
    rules.c4Quality && c4Quality(rules.c4Quality),
    rules.fineWebQuality && fineWebQuality(rules.fineWebQuality),
    rules.codeQuality && codeQuality(rules.codeQuality),
  ].filter((rule) => rule !== undefined)
}
