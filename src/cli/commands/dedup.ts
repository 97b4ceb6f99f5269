import { type Command, Option } from 'commander'
import { dedupFile, dedupUnits, inputBytes } from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { DamageCount } from '../damageCount.ts'
import { refuseSameFile } from '../differentFiles.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { formatCount, Output } from '../output.ts'
import { number, positiveInteger } from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface DedupCommandOptions {
  input: string
  output: string
  texts?: string
  units?: 'lines' | 'paragraphs'
  occurrences: number
  minWords: number
  exact?: boolean
  bands: number
  rows: number
  ngram: number
  seed: number
  verify?: number
  index?: string
  memory: number
  threads?: number
  json?: boolean
}

/** `smolforge dedup`: which documents of a file stay. */
export function addDedup(program: Command): void {
  program
    .command('dedup')
    .requiredOption(
      '--input <file>',
      'JSON lines {"id","text"} (plain, gzip, zstd), Parquet, or a folder of them',
    )
    .requiredOption('--output <file>', 'JSON lines {"id","keep","cluster"} in the same order')
    .option('--texts <file>', 'also write the documents that stay {"id","text"}; reads the input once more')
    .option('--exact', 'only documents with the same words')
    .option(
      '--bands <n>',
      'bands of the signature; documents that agree on one are duplicates',
      positiveInteger,
      14,
    )
    .option('--rows <n>', 'hashes in a band', positiveInteger, 8)
    .option('--ngram <n>', 'words in a shingle', positiveInteger, 5)
    .option('--seed <n>', 'of the hashes', positiveInteger, 1)
    .option(
      '--verify <jaccard>',
      'and only if their shingles are so similar, 0 to 1; reads the input once more',
      share,
    )
    .option('--index <dir>', 'documents of earlier runs, which win; those of this run are added')
    .addOption(
      new Option(
        '--units <kind>',
        'remove repeated parts of documents instead; the output has {"id","text","removed"}',
      ).choices(['lines', 'paragraphs']),
    )
    .option('--occurrences <n>', 'with --units: how often one may stand in the file', positiveInteger, 1)
    .option('--min-words <n>', 'with --units: shorter ones are left alone', positiveInteger, 4)
    .option('--memory <MiB>', 'keys, ids and shingles that stay in memory, each', positiveInteger, 128)
    .option('--threads <n>', 'threads (default all cores)', positiveInteger)
    .option('--json', 'one JSON object on standard output')
    .summary('find documents that are there twice, or nearly')
    .description(
      'MinHash and locality-sensitive hashing over runs of words (14 bands of 8 rows as FineWeb; FineMath has 1 of ' +
        '10). Of each cluster the first document stays. What the memory does not hold lies beside the output: 100 ' +
        'million documents take some 20 GB there and less than 2 GB of memory.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge dedup --input docs.jsonl --output verdicts.jsonl --bands 14 --rows 8 --ngram 5
  smolforge dedup --input docs.jsonl.zst --output verdicts.jsonl --verify 0.8 --texts kept.jsonl
  smolforge dedup --input docs.jsonl --output clean.jsonl --units paragraphs --occurrences 3
  smolforge dedup --input january.jsonl --output january.verdicts.jsonl --index seen/
  smolforge dedup --input february.jsonl --output february.verdicts.jsonl --index seen/
${exitCodesHelp}`,
    )
    .action(async (options: DedupCommandOptions) => {
      const { memory, json: _, units, occurrences, minWords, ...rest } = options
      if (units && options.texts !== undefined) {
        throw new SmolforgeError('usage', '--texts does not go with --units, whose output has the texts')
      }
      refuseSameFile({ '--output': options.output, '--texts': options.texts })
      const output = new Output(options)
      const start = performance.now()
      const signal = stopBySignal((line) => process.stderr.write(`${line}\n`))
      const damages = new DamageCount()
      try {
        const shared = {
          memoryBytes: memory * 2 ** 20,
          stop: signal.stop,
          onDamage: damages.add,
        }
        const conclude = async (documents: number, dropped: Record<string, number>) =>
          writeStatisticsLine({
            documents,
            bytes: await inputBytes(options.input),
            seconds: (performance.now() - start) / 1000,
            dropped,
            damaged: damages.count,
          })
        if (units) {
          const { input, output: to, threads } = rest
          const counts = await dedupUnits({
            input,
            output: to,
            threads,
            units,
            occurrences,
            minWords,
            ...shared,
          })
          output.say(
            `${to}: ${formatCount(counts.removed)} of ${formatCount(counts.units)} ${units} removed, ` +
              `${formatCount(counts.removedBytes)} bytes; ${formatCount(counts.emptied)} documents are empty now`,
          )
          output.emit({ output: to, ...counts, damaged: damages.count })
          await conclude(counts.documents, { emptied: counts.emptied })
          return
        }
        const counts = await dedupFile({ ...rest, ...shared })
        const { documents, kept, clusters, wordless, spilled } = counts
        const rule = options.exact ? 'exactDedup' : 'minhashDedup'
        output.say(
          `${options.output}: ${formatCount(kept)} of ${formatCount(documents)} documents stay; ` +
            `${formatCount(clusters)} clusters lost ${formatCount(documents - kept)}`,
        )
        output.emit({
          output: options.output,
          documents,
          kept,
          clusters,
          wordless,
          scratchBytes: spilled,
          damaged: damages.count,
        })
        await conclude(documents, { [rule]: documents - kept })
      } finally {
        signal.release()
      }
    })
}

/** A number from 0 to 1. */
export function share(text: string): number {
  const value = number(text)
  if (value >= 0 && value <= 1) return value
  throw new SmolforgeError('usage', `${text} is not between 0 and 1`)
}
