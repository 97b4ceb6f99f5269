import { join, resolve } from 'node:path'
import type { Document, DocumentStream } from '../../corpus/index.ts'
import {
  classifierRule,
  domainOf,
  type LabelledText,
  onlyFor,
  readLabels,
  seedLabels,
  trainClassifier,
} from '../../curate/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind, StepWork } from '../step.ts'
import { curateStep, documentsOf, stopIfAsked, writeJson } from './curation.ts'

export type ClassifyConfig = NonNullable<Recipe['curate']['classifier']> & { seed: number }

/** Trains the quality classifier from its seed labels and drops what it scores under the threshold. */
export const classifyStep: StepKind<ClassifyConfig> = {
  kind: 'classify',
  version: 1,
  resumes: false,
  async run(work) {
    const { domains, threshold, seed } = work.config
    const examples = await labelledExamples(work)
    const classifier = trainClassifier(examples, { seed, threshold })
    await classifier.save(join(work.folder, 'classifier.bin'))
    await writeJson(work, 'classifier.json', classifier.evaluation)
    const rule = classifierRule({ classifier, threshold })
    const result = await curateStep(work, documentsOf(work), [domains ? onlyFor(rule, { domains }) : rule])
    const { precision, recall, f1, meanAbsoluteError } = classifier.evaluation
    return {
      ...result,
      counts: { ...result.counts, seedExamples: examples.length },
      metrics: { precision, recall, f1, meanAbsoluteError },
    }
  },
}

async function labelledExamples(work: StepWork<ClassifyConfig>): Promise<LabelledText[]> {
  const { seeds, domains } = work.config
  if ('file' in seeds) return readLabels(resolve(work.places.baseDir, seeds.file))
  const examples: LabelledText[] = []
  if ('rubric' in seeds) {
    const isJudged = (document: Document) => domains?.includes(domainOf(document)) ?? true
    for await (const batch of evenly(documentsOf(work), isJudged, seeds.rubric)) {
      stopIfAsked(work)
      const texts = batch.map(({ text }) => text)
      for (const [i, label] of seedLabels(texts).entries()) examples.push({ text: texts[i], label })
    }
    return examples
  }
  const taken = new Map<string, number>()
  for await (const batch of documentsOf(work)) {
    stopIfAsked(work)
    for (const { source, text } of batch) {
      const label = seeds.sources[source]
      const before = taken.get(source) ?? 0
      if (label === undefined || before >= seeds.documents) continue
      taken.set(source, before + 1)
      examples.push({ text, label })
    }
  }
  return examples
}

/** The first documents of every source, so many that they are `count` in all. */
async function* evenly(
  documents: DocumentStream,
  isWanted: (document: Document) => boolean,
  count: number,
): AsyncGenerator<Document[]> {
  const bySource = new Map<string, Document[]>()
  for await (const batch of documents) {
    for (const document of batch) {
      if (!isWanted(document)) continue
      const some = bySource.get(document.source) ?? []
      bySource.set(document.source, some)
      if (some.length < count) some.push(document)
    }
  }
  let left = count
  const groups = [...bySource.values()].sort((a, b) => a.length - b.length)
  for (const [i, group] of groups.entries()) {
    const share = Math.ceil(left / (groups.length - i))
    const some = group.slice(0, share)
    left -= some.length
    yield some
  }
}
