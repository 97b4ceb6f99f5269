import { rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { readLines } from '../../corpus/index.ts'
import { ScoreSurveyor, type TextClassifier, ThresholdFinder } from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { writeChunksAtomic } from '../../files/atomic.ts'
import { sizeOf, tellDamage } from '../answerDocuments.ts'
import { drawClassifier, openClassifier } from '../classifierFolder.ts'
import { type DocumentCounts, type DocumentLine, readDocumentLines } from '../documentLines.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { finiteNumber, shareNumber } from '../numbers.ts'
import { formatCount, Output } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface ScoreOptions {
  classifier: string
  input: string
  output: string
  threshold?: number
  keep?: number
  report?: string
  domain: string
  encoder?: string
  threads?: number
  json?: boolean
}

export function addClassifierScore(parent: Command): void {
  parent
    .command('score')
    .requiredOption('--classifier <dir>', 'what classifier train made')
    .requiredOption('--input <file>', 'JSON lines {"id", "text"}, plain, .gz or .zst')
    .requiredOption('--output <file>', 'JSON lines {"id", "keep", "score"} in the same order')
    .option('--threshold <score>', 'least score of what is kept (default: as trained)', finiteNumber)
    .option('--keep <share>', 'keep this share instead, best first', shareNumber)
    .option('--report <file>', 'an HTML page that draws what any threshold would keep and lose')
    .option('--domain <field>', 'the field of a line that names its domain in the report', 'domain')
    .option('--encoder <model>', 'where the model of its embeddings is now')
    .option('--threads <n>', 'threads of the kernels', positiveInteger)
    .option('--json', 'a summary as one JSON object on standard output')
    .summary('score documents, and say which to keep')
    .addHelpText(
      'after',
      `
Examples:
  smolforge classifier score --classifier edu --input docs.jsonl.zst --output scores.jsonl --keep 0.3 --report edu.html
  smolforge classifier score --classifier edu-embed --input some.jsonl --output some-labels.jsonl
  smolforge classifier train --input some.jsonl --labels some-labels.jsonl --output edu-fast     (learns from the other)
${exitCodesHelp}`,
    )
    .action(scoreDocuments)
}

async function scoreDocuments(options: ScoreOptions): Promise<void> {
  const started = performance.now()
  const output = new Output(options)
  if (options.threshold !== undefined && options.keep !== undefined) {
    throw new SmolforgeError('usage', '--threshold and --keep do not go together: one decides')
  }
  const classifier = await openClassifier(options.classifier, options)
  const { header } = classifier
  const given = options.threshold ?? header.threshold
  const counts: DocumentCounts = { documents: 0, bytes: 0, damaged: 0 }
  const surveyor = new ScoreSurveyor(header)
  const finder = options.keep === undefined ? undefined : new ThresholdFinder(header)
  const signals = stopBySignal((line) => output.say(line))
  const scored = scoredBatches(options, classifier, counts, signals.stop)
  const result = { kept: 0, threshold: given, byDomain: {} as Record<string, DomainCounts> }
  const lineOf = ({ id, score, domain, bytes }: ScoredDocument): string => {
    const keep = score >= result.threshold
    if (keep) {
      result.byDomain[domain] ??= { documents: 0, bytes: 0 }
      result.byDomain[domain].documents++
      result.byDomain[domain].bytes += bytes
      result.kept++
    }
    return `${JSON.stringify({ id, keep, score })}\n`
  }
  const noted = ({ [options.domain]: given, id, text }: DocumentLine, score: number): ScoredDocument => {
    finder?.add(score)
    const named = typeof given === 'string' ? given : undefined
    return { id, score, ...surveyor.add({ id, text, domain: named }, score) }
  }
  try {
    if (finder === undefined || options.keep === undefined) {
      await writeBatches(options.output, scored, (document, score) => lineOf(noted(document, score)))
    } else {
      // Which to keep is known once all are scored: the scores wait on the disk.
      const waiting = join(dirname(options.output), `.${basename(options.output)}.scores.tmp`)
      try {
        await writeBatches(
          waiting,
          scored,
          (document, score) => `${JSON.stringify(noted(document, score))}\n`,
        )
        result.threshold = finder.threshold(options.keep)
        await writeBatches(options.output, readScores(waiting), lineOf)
      } finally {
        await rm(waiting, { force: true })
      }
    }
  } finally {
    signals.release()
  }
  const { documents, damaged } = counts
  const { kept, threshold, byDomain } = result
  const name = basename(resolve(options.classifier))
  if (options.report !== undefined) {
    await drawClassifier(options.report, header, {
      name,
      threshold,
      survey: surveyor.survey(),
      kept: byDomain,
    })
  }
  const share = documents === 0 ? 0 : (100 * kept) / documents
  output.say(
    `${formatCount(kept)} of ${formatCount(documents)} documents (${share.toFixed(1)} %) reach ${formatCount(threshold)}: ${options.output}`,
  )
  output.emit({ documents, kept, threshold, output: options.output, report: options.report })
  tellDamage(options.input, counts)
  const seconds = (performance.now() - started) / 1000
  const bytes = sizeOf(options.input)
  writeStatisticsLine({ documents, bytes, seconds, dropped: { classifier: documents - kept }, damaged })
}

/** Documents of one call of the kernels; an encoder takes fewer, so that a signal is heard soon. */
const MOST_AT_ONCE = { linear: 4096, embedding: 64 }

async function* scoredBatches(
  { input, threads }: ScoreOptions,
  classifier: TextClassifier,
  counts: DocumentCounts,
  stop: { stopped: boolean },
): AsyncGenerator<{ documents: DocumentLine[]; scores: Float64Array }> {
  const most = MOST_AT_ONCE[classifier.header.kind === 'embedding' ? 'embedding' : 'linear']
  for await (const batch of readDocumentLines(input, counts)) {
    for (let from = 0; from < batch.length; from += most) {
      if (stop.stopped) throw new SmolforgeError('interrupted', 'Stopped while scoring')
      const documents = batch.slice(from, from + most)
      const texts = documents.map(({ text }) => text)
      yield { documents, scores: classifier.score(texts, { threads }) }
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

interface DomainCounts {
  documents: number
  bytes: number
}

interface ScoredDocument {
  id: string
  score: number
  domain: string
  bytes: number
}

async function* readScores(
  path: string,
): AsyncGenerator<{ documents: ScoredDocument[]; scores: Float64Array }> {
  for await (const lines of readLines(path)) {
    const documents = lines
      .filter(({ text }) => text !== '')
      .map(({ text }) => JSON.parse(text) as ScoredDocument)
    yield { documents, scores: Float64Array.from(documents, ({ score }) => score) }
  }
}

async function writeBatches<Document>(
  path: string,
  batches: AsyncIterable<{ documents: Document[]; scores: Float64Array }>,
  lineOf: (document: Document, score: number) => string,
): Promise<void> {
  await writeChunksAtomic(path, async (write) => {
    for await (const { documents, scores } of batches) {
      await write(Buffer.from(documents.map((document, i) => lineOf(document, scores[i])).join('')))
    }
  })
}
