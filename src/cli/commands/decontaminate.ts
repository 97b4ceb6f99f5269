import type { Command } from 'commander'
import { decontaminateFile, inputBytes } from '../../curate/index.ts'
import { DamageCount } from '../damageCount.ts'
import { refuseSameFile } from '../differentFiles.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { formatCount, Output } from '../output.ts'
import { collect, positiveInteger } from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'
import { share } from './dedup.ts'

interface DecontaminateCommandOptions {
  input: string
  against: string[]
  output: string
  texts?: string
  fields?: string
  ngram: number
  minWords: number
  minLcs?: number
  report?: string
  threads?: number
  json?: boolean
}

/** `smolforge decontaminate`: which documents of a file hold items of a benchmark. */
export function addDecontaminate(program: Command): void {
  program
    .command('decontaminate')
    .requiredOption(
      '--input <file>',
      'JSON lines {"id","text"} (plain, gzip, zstd), Parquet, or a folder of them',
    )
    .requiredOption(
      '--against <file>',
      'JSON lines of a benchmark, of any form (may be repeated)',
      collect,
      [],
    )
    .requiredOption('--output <file>', 'JSON lines {"id","keep","rule","value","item"} in the same order')
    .option('--texts <file>', 'also write the documents that stay {"id","text"}')
    .option('--fields <names>', 'fields of an item to look for, with commas (default all its texts)')
    .option('--ngram <n>', 'words in a row that a document may not share with an item', positiveInteger, 13)
    .option(
      '--min-words <n>',
      'the least words of an item without a text of --ngram words',
      positiveInteger,
      8,
    )
    .option(
      '--min-lcs <share>',
      'drop only where so much of the item is there in order (FineMath: 0.6), 0 to 1',
      share,
    )
    .option('--report <file>', 'by item, with the passages: JSON here and Markdown beside it')
    .option('--threads <n>', 'threads (default all cores)', positiveInteger)
    .option('--json', 'one JSON object on standard output')
    .summary('find documents that hold items of a benchmark')
    .description(
      'Word n-grams of benchmark items, by 64-bit hashes, are looked up in every document; with --min-lcs the words ' +
        'around a match are compared with the item by their longest common subsequence. A shorter item counts where a ' +
        'document holds all of it.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge decontaminate --input docs.jsonl --against gsm8k.jsonl.gz --output verdicts.jsonl
  smolforge decontaminate --input docs.jsonl.zst --against math.jsonl --against mmlu.jsonl --min-lcs 0.6 \\
    --report contamination.json --output verdicts.jsonl --texts clean.jsonl
${exitCodesHelp}`,
    )
    .action(async (options: DecontaminateCommandOptions) => {
      const { json: _, minLcs, fields, ...rest } = options
      refuseSameFile({ '--output': options.output, '--texts': options.texts, '--report': options.report })
      const output = new Output(options)
      const start = performance.now()
      const signal = stopBySignal((line) => process.stderr.write(`${line}\n`))
      const damages = new DamageCount()
      try {
        const report = await decontaminateFile({
          ...rest,
          fields: fields?.split(',').map((field) => field.trim()),
          minSubsequence: minLcs,
          stop: signal.stop,
          onDamage: damages.add,
        })
        const { documents, dropped, items, tooShort } = report
        output.say(
          `${options.output}: ${formatCount(dropped)} of ${formatCount(documents)} documents hold one of ` +
            `${formatCount(items.length)} items; ${formatCount(tooShort.length)} items are too short to look for`,
        )
        const contaminatedItems = items.length
        output.emit({
          output: options.output,
          documents,
          dropped,
          contaminatedItems,
          tooShort: tooShort.length,
          damaged: damages.count,
        })
        writeStatisticsLine({
          documents,
          bytes: await inputBytes(options.input),
          seconds: (performance.now() - start) / 1000,
          dropped: { decontamination: dropped },
          damaged: damages.count,
        })
      } finally {
        signal.release()
      }
    })
}
