import { basename, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import {
  type ClassifierEvaluation,
  evaluateClassifier,
  type LabelledText,
  type TextClassifier,
  trainClassifier,
  trainEmbeddingClassifier,
} from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { EmbeddingModel, type Pooling, poolings } from '../../model/index.ts'
import { classifierSummary } from '../../report/index.ts'
import { configure } from '../../tensor/index.ts'
import { sizeOf, tellDamage } from '../answerDocuments.ts'
import { featuresOf, openClassifier, saveClassifier, saveEvaluation } from '../classifierFolder.ts'
import type { DocumentCounts } from '../documentLines.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { type LabelledDocuments, readLabelledDocuments } from '../labelledDocuments.ts'
import { findModel, modelHelp } from '../modelPath.ts'
import { finiteNumber, shareNumber } from '../numbers.ts'
import { formatCount, Output, table } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface TrainOptions {
  input?: string
  labels: string
  output: string
  embed?: string
  pooling?: Pooling
  maxTokens?: number
  maxWords: number
  characters?: [number, number]
  heldOut: number
  threshold?: number
  seed: number
  threads?: number
  json?: boolean
}

export function addClassifierTrain(parent: Command): void {
  parent
    .command('train')
    .requiredOption(
      '--labels <file>',
      'JSON lines {"id", "label"} or {"text", "label"}; a "score" is a label too',
    )
    .option('--input <file>', 'JSON lines {"id", "text"}: the texts of labels that have only an id')
    .requiredOption('--output <dir>', 'folder for classifier.bin, evaluation.json and report.html')
    .option('--embed <model>', `learn from the embeddings of ${modelHelp}, or of a BERT or RoBERTa folder`)
    .addOption(
      new Option(
        '--pooling <how>',
        'what of the last layer is the embedding (default: as the model says)',
      ).choices(poolings),
    )
    .option('--max-tokens <n>', 'tokens of a text that are embedded (default: up to 512)', positiveInteger)
    .option('--max-words <n>', 'words of a text that are looked at, without --embed', positiveInteger, 2000)
    .option('--characters <n-m>', 'also n-grams of 3 to 5 characters, for example: 3-5', characterRange)
    .option('--held-out <share>', 'share of the examples that is only evaluated on', shareNumber, 0.1)
    .option(
      '--threshold <label>',
      'from which label on an example is good (default: 2.5, of yes and no 0.5)',
      finiteNumber,
    )
    .option('--seed <n>', 'decides what is held out', finiteNumber, 1)
    .option('--threads <n>', 'threads of the kernels', positiveInteger)
    .option('--json', 'the result as one JSON object on standard output')
    .summary('learn labels')
    .description(
      'Learns labels with a linear model of hashed words, which scores some 100 MB of text a second and core, or with a ' +
        'regression on embeddings, which is better and a thousand times slower: let that one label what the linear one learns.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge classifier train --input docs.jsonl --labels labels.jsonl --output edu
  smolforge classifier train --input docs.jsonl --labels labels.jsonl --output edu-embed --embed models/minilm
${exitCodesHelp}`,
    )
    .action(async (options: TrainOptions) => {
      const started = performance.now()
      const output = new Output(options)
      const counts: DocumentCounts = { documents: 0, bytes: 0, damaged: 0 }
      const labelled = await readLabelledDocuments(options.labels, options.input, counts)
      output.say(examplesText(labelled))
      const classifier = await train(labelled.examples, options, output)
      const name = basename(resolve(options.output))
      await saveClassifier(options.output, classifier, name)
      say(output, classifier, classifier.evaluation, name, options.output)
      finish(options, counts, labelled, started)
    })
}

async function train(
  examples: readonly LabelledText[],
  options: TrainOptions,
  output: Output,
): Promise<TextClassifier> {
  const { seed, threshold, heldOut: heldOutFraction, threads } = options
  const split = { seed, threshold, heldOutFraction }
  if (options.embed === undefined) {
    const { maxWords, characters } = options
    return trainClassifier(examples, { ...split, maxWords, characters, threads })
  }
  configure({ threads })
  const { pooling, maxTokens } = options
  const encoder = await EmbeddingModel.open(findModel(options.embed), { pooling, maxTokens })
  const signals = stopBySignal((line) => output.say(line))
  try {
    return await trainEmbeddingClassifier(examples, encoder, split, async (texts) => {
      const { width } = encoder.reference
      const rows = new Float32Array(texts.length * width)
      const started = performance.now()
      for (let from = 0; from < texts.length; from += PORTION) {
        if (signals.stop.stopped) throw new SmolforgeError('interrupted', 'Stopped while embedding')
        rows.set(encoder.embed(texts.slice(from, from + PORTION)), from * width)
        const done = Math.min(texts.length, from + PORTION)
        const rate = done / ((performance.now() - started) / 1000)
        if (done === texts.length || from % (16 * PORTION) === 0) {
          output.say(
            `${formatCount(done)} of ${formatCount(texts.length)} texts embedded, ${rate.toFixed(1)} a second`,
          )
        }
        // Signals are heard between portions.
        await new Promise((resolve) => setImmediate(resolve))
      }
      return rows
    })
  } finally {
    signals.release()
  }
}

const PORTION = 64

interface EvaluateOptions {
  classifier: string
  input?: string
  labels: string
  output?: string
  encoder?: string
  threshold?: number
  threads?: number
  json?: boolean
}

export function addClassifierEvaluate(parent: Command): void {
  parent
    .command('evaluate')
    .requiredOption('--classifier <dir>', 'what classifier train made')
    .requiredOption(
      '--labels <file>',
      'JSON lines {"id", "label"} or {"text", "label"} that it has not learned from',
    )
    .option('--input <file>', 'JSON lines {"id", "text"}: the texts of labels that have only an id')
    .option('--output <dir>', 'folder for evaluation.json and report.html')
    .option('--encoder <model>', 'where the model of its embeddings is now')
    .option(
      '--threshold <label>',
      'from which label on an example is good (default: as trained)',
      finiteNumber,
    )
    .option('--threads <n>', 'threads of the kernels', positiveInteger)
    .option('--json', 'the result as one JSON object on standard output')
    .summary('compare its scores with other labels')
    .addHelpText(
      'after',
      `
Example:
  smolforge classifier evaluate --classifier edu --input docs.jsonl --labels by-people.jsonl --output edu-people
${exitCodesHelp}`,
    )
    .action(async (options: EvaluateOptions) => {
      const started = performance.now()
      const output = new Output(options)
      const counts: DocumentCounts = { documents: 0, bytes: 0, damaged: 0 }
      const labelled = await readLabelledDocuments(options.labels, options.input, counts)
      output.say(examplesText(labelled))
      const { threads } = options
      const classifier = await openClassifier(options.classifier, options)
      const texts = labelled.examples.map(({ text }) => text)
      const { header } = classifier
      const threshold = options.threshold ?? header.threshold
      const { trainingExamples } = header.evaluation
      const scores = classifier.score(texts, { threads })
      const evaluation = evaluateClassifier(labelled.examples, scores, { trainingExamples, threshold })
      const name = basename(resolve(options.classifier))
      if (options.output !== undefined) await saveEvaluation(options.output, header, name, evaluation)
      say(output, classifier, evaluation, name, options.output)
      finish(options, counts, labelled, started)
    })
}

function characterRange(text: string): [number, number] {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text) ?? []
  const [least, most] = [Number(from), Number(to)]
  if (least >= 1 && least <= most && most <= 16) return [least, most]
  throw new SmolforgeError('usage', `${text} is no range of lengths from 1 to 16, for example 3-5`)
}

function examplesText({ examples, withoutText, repeated }: LabelledDocuments): string {
  const left = [
    withoutText > 0 ? `${formatCount(withoutText)} labels whose document is not there or has changed` : '',
    repeated > 0 ? `${formatCount(repeated)} documents with a text that came before` : '',
  ].filter(Boolean)
  return `${formatCount(examples.length)} examples${left.length > 0 ? `, without ${left.join(' and ')}` : ''}`
}

function say(
  output: Output,
  { header }: TextClassifier,
  evaluation: ClassifierEvaluation,
  name: string,
  folder: string | undefined,
): void {
  const { lowest, highest } = header
  const features = featuresOf(header)
  const report = { format: 'smolforge-classifier', version: 1, name, features, madeAt: '' } as const
  const { threshold } = evaluation
  for (const line of classifierSummary({ ...report, lowest, highest, threshold, evaluation }))
    output.say(line)
  const percent = (share: number) => (100 * share).toFixed(1)
  output.say(
    table([
      ['threshold', 'kept %', 'precision %', 'recall %', 'F1 %', 'mean label of the kept'],
      ...evaluation.thresholds
        .filter((_, i) => i % 2 === 0)
        .map((row) => [
          row.threshold.toFixed(2),
          ...[row.kept, row.precision, row.recall, row.f1].map(percent),
          row.meanLabelKept.toFixed(2),
        ]),
    ]),
  )
  if (folder !== undefined) output.say(`Written: ${folder}`)
  output.emit({ features, threshold, evaluation, output: folder })
}

function finish(
  { input, labels }: { input?: string; labels: string },
  counts: DocumentCounts,
  labelled: LabelledDocuments,
  started: number,
): void {
  if (input !== undefined) tellDamage(input, counts)
  const { withoutText, repeated } = labelled
  writeStatisticsLine({
    documents: Math.max(counts.documents, labelled.examples.length),
    bytes: sizeOf(labels) + (input === undefined ? 0 : sizeOf(input)),
    seconds: (performance.now() - started) / 1000,
    dropped: { repeated, 'without-text': withoutText },
    damaged: counts.damaged,
  })
}
