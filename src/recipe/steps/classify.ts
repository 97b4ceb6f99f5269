import { join, resolve } from 'node:path'
import {
  CLASSIFIER_FILE,
  type ClassifierEvaluation,
  classifierRule,
  domainOf,
  type LabelledText,
  onlyFor,
  scoreThreshold,
  type TextClassifier,
  trainClassifier,
  trainEmbeddingClassifier,
} from '../../curate/index.ts'
import { EmbeddingModel } from '../../model/index.ts'
import type { StepKind, StepWork } from '../step.ts'
import type { ClassifyConfig } from './classifyConfig.ts'
import { curateStep, documentsOf, stopIfAsked, writeJson } from './curation.ts'
import { judgedEvenly, seedExamples } from './seedExamples.ts'
import { configureEngine } from './training.ts'

/** Trains the quality classifier from its labels and drops what it scores under the threshold. */
export const classifyStep: StepKind<ClassifyConfig> = {
  kind: 'classify',
  version: 2,
  resumes: false,
  async run(work) {
    const { domains, keep } = work.config
    const examples = await seedExamples(work)
    const { classifier, taught } = await train(work, examples)
    await classifier.save(join(work.folder, CLASSIFIER_FILE))
    await writeJson(work, 'classifier.json', classifier.evaluation)
    if (taught) await writeJson(work, 'embeddings.json', taught)
    const threshold =
      keep === undefined ? work.config.threshold : await scoreThreshold(classifier, judged(work), keep)
    const rule = classifierRule({ classifier, threshold })
    const result = await curateStep(work, documentsOf(work), [domains ? onlyFor(rule, { domains }) : rule])
    // Of what people or a judge said; a distilled classifier's own evaluation is against its teacher.
    const { precision, recall, f1, meanAbsoluteError } = taught ?? classifier.evaluation
    return {
      ...result,
      counts: { ...result.counts, seedExamples: examples.length },
      metrics: { precision, recall, f1, meanAbsoluteError, ...(keep === undefined ? {} : { threshold }) },
    }
  },
}

/** The classifier; where it learned from another, that one's evaluation too. */
async function train(
  work: StepWork<ClassifyConfig>,
  examples: readonly LabelledText[],
): Promise<{ classifier: TextClassifier; taught?: ClassifierEvaluation }> {
  const { seed, threshold, embeddings } = work.config
  if (embeddings === undefined) return { classifier: trainClassifier(examples, { seed, threshold }) }
  configureEngine(work.places, 'f32')
  const { model, maxTokens, distil } = embeddings
  const encoder = await EmbeddingModel.open(resolve(work.places.baseDir, model), { maxTokens })
  const teacher = await trainEmbeddingClassifier(examples, encoder, { seed, threshold }, async (texts) => {
    const { width } = encoder.reference
    const rows = new Float32Array(texts.length * width)
    for (let from = 0; from < texts.length; from += PORTION) {
      stopIfAsked(work)
      rows.set(encoder.embed(texts.slice(from, from + PORTION)), from * width)
      work.onProgress({ done: from, total: texts.length, unit: 'documents', message: 'embedding' })
    }
    return rows
  })
  if (distil === undefined) return { classifier: teacher }
  const lessons: LabelledText[] = []
  for await (const batch of judgedEvenly(work, distil)) {
    for (let from = 0; from < batch.length; from += PORTION) {
      stopIfAsked(work)
      const texts = batch.slice(from, from + PORTION).map(({ text }) => text)
      for (const [i, label] of teacher.score(texts).entries()) lessons.push({ text: texts[i], label })
      work.onProgress({
        done: lessons.length,
        total: distil,
        unit: 'documents',
        message: 'scoring by embeddings',
      })
    }
  }
  return { classifier: trainClassifier(lessons, { seed, threshold }), taught: teacher.evaluation }
}

/** Texts that are embedded between two looks at the stop signal. */
const PORTION = 64

async function* judged(work: StepWork<ClassifyConfig>) {
  const { domains } = work.config
  for await (const batch of documentsOf(work)) {
    stopIfAsked(work)
    yield batch.filter((document) => domains?.includes(domainOf(document)) ?? true)
  }
}
