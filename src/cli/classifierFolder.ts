import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CLASSIFIER_FILE,
  type ClassifierEvaluation,
  type ClassifierHeader,
  loadClassifier,
  type ScoreSurvey,
  type TextClassifier,
} from '../curate/index.ts'
import { fileError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import { EmbeddingModel } from '../model/index.ts'
import { type ClassifierReport, writeClassifierReport } from '../report/index.ts'
import { configure } from '../tensor/index.ts'
import { findModel } from './modelPath.ts'

/** Loads a classifier of either kind; `encoder` says where the model of one on embeddings is now. */
export async function openClassifier(
  path: string,
  { encoder, threads }: { encoder?: string; threads?: number },
): Promise<TextClassifier> {
  return loadClassifier(path, async (reference) => {
    configure({ threads })
    const { pooling, maxTokens } = reference
    return EmbeddingModel.open(findModel(encoder ?? reference.path), { pooling, maxTokens })
  })
}

/** Writes the classifier, its evaluation and its page into a folder. */
export async function saveClassifier(dir: string, classifier: TextClassifier, name: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true })
  } catch (error) {
    throw fileError(error, dir)
  }
  await classifier.save(join(dir, CLASSIFIER_FILE))
  await saveEvaluation(dir, classifier.header, name)
}

/** `evaluation.json`, and the same drawn as `report.html`. */
export async function saveEvaluation(
  dir: string,
  header: ClassifierHeader,
  name: string,
  evaluation: ClassifierEvaluation = header.evaluation,
): Promise<void> {
  try {
    await mkdir(dir, { recursive: true })
  } catch (error) {
    throw fileError(error, dir)
  }
  await writeFileAtomic(join(dir, 'evaluation.json'), `${JSON.stringify(evaluation, null, 2)}\n`)
  await drawClassifier(join(dir, 'report.html'), header, {
    name,
    threshold: evaluation.threshold,
    evaluation,
  })
}

/** One HTML file with the plots. */
export async function drawClassifier(
  path: string,
  header: ClassifierHeader,
  {
    name,
    threshold,
    evaluation = header.evaluation,
    survey,
    kept,
  }: {
    name: string
    threshold: number
    evaluation?: ClassifierEvaluation
    survey?: ScoreSurvey
    kept?: ClassifierReport['kept']
  },
): Promise<void> {
  const { lowest, highest } = header
  const features = featuresOf(header)
  const report = { format: 'smolforge-classifier', version: 1, name, features, lowest, highest } as const
  await writeClassifierReport(path, {
    ...report,
    madeAt: new Date().toISOString(),
    threshold,
    evaluation,
    survey,
    kept,
  })
}

/** What a classifier looks at, for a person. */
export function featuresOf(header: ClassifierHeader): string {
  if (header.kind === 'embedding') {
    const { width, maxTokens, pooling } = header.encoder
    return `a regression on embeddings (${width} numbers, ${pooling}, the first ${maxTokens} tokens)`
  }
  const characters = header.characters ? ` and ${header.characters.join(' to ')} characters` : ''
  return `a linear model of hashed words and pairs${characters}, the first ${header.maxWords} words`
}
