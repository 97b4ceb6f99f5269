import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { convertCorpus, parquetCodecs, readerNames, sourceSchema } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { collectReport } from '../../report/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { formatCount, Output } from '../output.ts'
import { collect, positiveInteger } from '../runRecipeFile.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface ConvertCommandOptions {
  input: string
  output: string
  reader?: string
  textField?: string
  include: string[]
  exclude: string[]
  name?: string
  licence: string
  domain: string
  limit?: number
  codec: (typeof parquetCodecs)[number]
  card?: string
  title?: string
  cache: string
  threads?: number
  json?: boolean
}

/** `smolforge corpus convert`: texts in any form that a recipe reads, as JSON lines, Parquet or a data set. */
export function addConvert(corpus: Command): void {
  corpus
    .command('convert')
    .requiredOption(
      '--input <path>',
      'a file or folder in any form that a recipe reads, or the folder of a run: its curated texts',
    )
    .requiredOption(
      '--output <path>',
      'OUT.jsonl, .jsonl.gz, .jsonl.zst or .parquet; or a new folder with a card',
    )
    .addOption(
      new Option('--reader <name>', 'how files are read (by their names if not given)').choices(readerNames),
    )
    .option(
      '--text-field <name>',
      'the field of a JSON line or Parquet row that holds the text (default text)',
    )
    .option('--include <glob>', 'only files that match (may be repeated)', collect, [])
    .option('--exclude <glob>', 'no files that match (may be repeated)', collect, [])
    .option('--name <name>', 'name of the source, where documents do not say one (default from the input)')
    .option('--licence <spdx>', 'licence, where documents do not say one', 'unknown')
    .option('--domain <name>', 'kind of text, where documents do not say one', 'text')
    .option('--limit <n>', 'at most so many documents', positiveInteger)
    .addOption(new Option('--codec <name>', 'of the pages of Parquet').choices(parquetCodecs).default('zstd'))
    .option('--card <file>', 'write the data set card of a file here; a folder has its README.md')
    .option('--title <text>', 'of the card (default the name of the output)')
    .option('--cache <dir>', 'where packages are unpacked', '.cache')
    .option('--threads <n>', 'threads for the extraction of pages (default all cores)', positiveInteger)
    .option('--json', 'one JSON object on standard output')
    .summary('turn texts in any form into JSON lines, Parquet or a data set with its card')
    .description(
      'Reads what a recipe can read (text, Markdown, code, HTML, JSON lines, Parquet, WARC; plain or packed) and ' +
        'writes documents. Parts that cannot be read are counted by reason. Memory does not grow with the input.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge corpus convert --input crawl.warc.gz --output pages.jsonl.zst
  smolforge corpus convert --input shards/ --include '*.parquet' --text-field content --output texts.parquet
  smolforge corpus convert --input runs/quickstart --output dataset --title "My texts"
${exitCodesHelp}`,
    )
    .action(async (options: ConvertCommandOptions) => {
      const output = new Output(options)
      const start = performance.now()
      const run = existsSync(join(options.input, 'run.json')) ? await runCorpus(options.input) : undefined
      const name = sourceName(options.name ?? basename(options.input))
      const parsed = sourceSchema.safeParse({
        name,
        domain: options.domain,
        licence: options.licence,
        path: run?.documents ?? resolve(options.input),
        reader: options.reader,
        textField: options.textField,
        include: options.include.length > 0 ? options.include : undefined,
        exclude: options.exclude.length > 0 ? options.exclude : undefined,
        maxDocuments: options.limit,
      })
      if (!parsed.success) throw new SmolforgeError('usage', parsed.error.issues[0]?.message ?? 'no source')
      let bytes = 0
      const converted = await convertCorpus(parsed.data, {
        output: options.output,
        parquetCodec: options.codec,
        card: options.card,
        history: run,
        title: options.title,
        madeBy: `smolforge corpus convert --input ${basename(options.input)} --output ${basename(options.output)}`,
        cacheDir: resolve(options.cache),
        baseDir: process.cwd(),
        extraction: { threads: options.threads },
        onProgress: ({ done, unit }) => {
          if (unit === 'bytes') bytes = done
        },
      })
      const { documents, damages, bytesLost, lost, skipped, statistics } = converted
      output.say(
        `${options.output}: ${formatCount(documents)} documents, ${formatCount(converted.bytes)} bytes of text`,
      )
      for (const [reason, { parts, bytes: gone }] of Object.entries(lost)) {
        output.say(`  lost: ${formatCount(parts)} x ${reason}, ${formatCount(gone)} bytes`)
      }
      for (const [reason, parts] of Object.entries(skipped))
        output.say(`  no document: ${formatCount(parts)} x ${reason}`)
      output.emit({
        output: options.output,
        documents,
        textBytes: converted.bytes,
        damages,
        bytesLost,
        lost,
        skipped,
        statistics,
      })
      const empty = skipped['empty text'] ?? 0
      writeStatisticsLine({
        documents: documents + empty,
        bytes,
        seconds: (performance.now() - start) / 1000,
        dropped: empty > 0 ? { 'empty text': empty } : {},
        damaged: damages,
      })
    })
}

/** The curated documents of a run, with the funnel that they went through. */
async function runCorpus(run: string) {
  const documents = resolve(run, 'steps/decontaminate/documents.jsonl.zst')
  if (!existsSync(documents)) {
    throw new SmolforgeError('input', 'The curation of this run is not done', {
      place: { file: documents },
      hint: 'smolforge curate RECIPE --run DIR does it.',
    })
  }
  const { funnel, damage } = await collectReport(run)
  const steps = funnel.map(({ step, documentsIn, documentsOut, dropped }) => ({
    step,
    documentsIn,
    documentsOut,
    dropped: Object.fromEntries(Object.entries(dropped).map(([rule, drop]) => [rule, drop.documents])),
  }))
  return { documents, funnel: steps, damages: damage }
}

/** `My pages.warc.gz` as `my-pages`. */
function sourceName(name: string): string {
  const plain = name
    .replace(/(\.\w{1,8}){1,2}$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return plain === '' ? 'input' : plain
}
