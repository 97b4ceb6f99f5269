import { resolve } from 'node:path'
import {
  type C4QualityOptions,
  type CodeQualityOptions,
  c4Quality,
  codeFilesRule,
  codeLanguageRule,
  codeQuality,
  FastTextModel,
  type FineWebQualityOptions,
  fastTextDetector,
  fastTextRule,
  fineWebQuality,
  type GopherQualityOptions,
  type GopherRepetitionOptions,
  gopherQuality,
  gopherRepetition,
  type LicenceOptions,
  languageRule,
  licenceRule,
  onlyFor,
  type PiiOptions,
  piiRule,
  type Rule,
  type SecretsOptions,
  secretsRule,
  type UrlFilterOptions,
  urlFilter,
} from '../../curate/index.ts'
import type { StepKind } from '../step.ts'
import { curateStep, documentsOf } from './curation.ts'

/** A rule by name with its options, as plain data: what a pipeline's steps are written in. */
export type RuleSpec = RuleByName & {
  /** Only documents of these domains (`meta.domain`). */
  domains?: readonly string[]
}

type RuleByName =
  | ({ use: 'url' } & UrlFilterOptions)
  | { use: 'language'; keep: readonly string[]; minScore?: number; model?: string }
  | {
      use: 'fastText'
      model: string
      keepLabels?: Record<string, number>
      removeLabels?: Record<string, number>
    }
  | ({ use: 'gopherRepetition' } & GopherRepetitionOptions)
  | ({ use: 'gopherQuality' } & GopherQualityOptions)
  | ({ use: 'c4Quality' } & C4QualityOptions)
  | ({ use: 'fineWebQuality' } & FineWebQualityOptions)
  | ({ use: 'codeQuality' } & CodeQualityOptions)
  | { use: 'codeLanguage'; languages?: readonly string[] }
  | ({ use: 'licence' } & LicenceOptions)
  | { use: 'codeFiles' }
  | ({ use: 'pii' } & PiiOptions)
  | ({ use: 'secrets' } & SecretsOptions)

/** Sends documents through rules in their order. Paths in the rules' options start at the folder of the input's base. */
export const rulesStep: StepKind<{ rules: readonly RuleSpec[] }> = {
  kind: 'rules',
  version: 1,
  resumes: false,
  async run(work) {
    const rules: Rule[] = []
    for (const spec of work.config.rules) {
      const rule = await ruleOf(spec, work.places.baseDir)
      rules.push(spec.domains ? onlyFor(rule, { domains: spec.domains }) : rule)
    }
    return curateStep(work, documentsOf(work), rules)
  },
}

async function ruleOf({ domains: _, ...spec }: RuleSpec, baseDir: string): Promise<Rule> {
  const at = (path: string) => resolve(baseDir, path)
  switch (spec.use) {
    case 'url':
      return urlFilter({
        ...spec,
        domainFiles: spec.domainFiles?.map(at),
        urlFiles: spec.urlFiles?.map(at),
        allowDomainFiles: spec.allowDomainFiles?.map(at),
        onlyDomainFiles: spec.onlyDomainFiles?.map(at),
      })
    case 'language': {
      const { keep, minScore, model } = spec
      const detector = model === undefined ? undefined : fastTextDetector(FastTextModel.load(at(model)))
      return languageRule({ keep, minScore, detector })
    }
    case 'fastText':
      return fastTextRule({ ...spec, model: FastTextModel.load(at(spec.model)) })
    case 'gopherRepetition':
      return gopherRepetition(spec)
    case 'gopherQuality':
      return gopherQuality(spec)
    case 'c4Quality':
      return c4Quality(spec)
    case 'fineWebQuality':
      return fineWebQuality(spec)
    case 'codeQuality':
      return codeQuality(spec)
    case 'codeLanguage':
      return codeLanguageRule(spec)
    case 'licence':
      return licenceRule(spec)
    case 'codeFiles':
      return codeFilesRule()
    case 'pii':
      return piiRule(spec)
    case 'secrets':
      return secretsRule(spec)
  }
}
