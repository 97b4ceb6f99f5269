import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Command, Option } from 'commander'
import { readerNames } from '../../corpus/index.ts'
import { fileError, SmolforgeError } from '../../errors.ts'
import { type PipelineOptions, pipelineNames, runPipeline } from '../../recipe/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { shareNumber } from '../numbers.ts'
import { formatCount, Output, table } from '../output.ts'
import {
  collect,
  number,
  positiveInteger,
  type RecipeOptions,
  runRecipeFile,
  stepsOfKind,
  thisCommand,
  watchRun,
  withRecipeOptions,
} from '../runRecipeFile.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface CurateOptions extends RecipeOptions {
  input?: string
  output?: string
  reader?: PipelineOptions['reader']
  textField?: string
  name?: string
  licence: string
  labels?: string
  classifier?: string
  threshold?: number
  keep?: number
  seeds: number
  language: string[]
  languageModel?: string
  blockDomains: string[]
  urls: string[]
  against: string[]
  seed: number
}

/** `smolforge curate RECIPE`, and `smolforge curate fineweb-edu|finemath|stack-edu --input PATH --output DIR`. */
export function addCurate(program: Command): void {
  withRecipeOptions(program.command('curate'))
    .summary('read and clean text: of a recipe, or by a named pipeline')
    .description(
      'Of a recipe: reads the sources, filters, removes duplicates, splits off held-out text and decontaminates; it ' +
        'shares the folder of the run with the other commands.\n\n' +
        `By name (${pipelineNames.join(', ')}): makes a data set with its card out of local files. ` +
        'A run that was stopped or killed goes on where it was.',
    )
    .option('--input <path>', 'a file or folder in any form that a recipe reads')
    .option('--output <dir>', 'folder of the run: dataset/, README.md, funnel.json, steps/')
    .addOption(
      new Option('--reader <name>', 'how files are read (by their names if not given)').choices(readerNames),
    )
    .option(
      '--text-field <name>',
      'the field of a JSON line or Parquet row that holds the text (default text)',
    )
    .option('--name <name>', 'name of the data set (default the name of the pipeline)')
    .option('--licence <spdx>', 'licence, where documents do not say one', 'unknown')
    .option(
      '--labels <file>',
      'labels from 0 to 5: lines {"text", "label"}, or the output of smolforge label',
    )
    .option('--classifier <file>', 'a classifier made before, in place of labels')
    .option('--threshold <score>', 'the least score that stays (default 2.5: 3 when rounded)', number)
    .option('--keep <share>', 'the share that stays, best first, in place of a threshold', shareNumber)
    .option(
      '--seeds <n>',
      'without labels: documents that counted signs label, for each language',
      positiveInteger,
      2000,
    )
    .option(
      '--language <code>',
      'a language of people that stays (may be repeated; default eng)',
      collect,
      [],
    )
    .option('--language-model <file>', 'a fastText model that names languages, such as lid.176.bin')
    .option('--block-domains <file>', 'domains to leave out, one a line (may be repeated)', collect, [])
    .option('--urls <file>', 'finemath: addresses to recall, one a line (may be repeated)', collect, [])
    .option(
      '--against <file>',
      'benchmark items as JSON lines, to decontaminate (may be repeated)',
      collect,
      [],
    )
    .option('--seed <n>', 'of everything that is drawn', number, 1)
    .addHelpText(
      'after',
      `
Examples:
  smolforge curate recipes/tiny.yaml
  smolforge curate fineweb-edu --input crawl.warc.gz --output edu --labels labels.jsonl
  smolforge curate finemath --input pages/ --output maths --keep 0.2 --against gsm8k-test.jsonl
  smolforge curate stack-edu --input checkouts/ --output code --threads 4
${exitCodesHelp}`,
    )
    .action(async (subject: string, options: CurateOptions) => {
      if (!pipelineNames.includes(subject)) {
        if (!/[./]/.test(subject)) throw unknownPipeline(subject)
        const { runDir } = await runRecipeFile(subject, options, (steps) =>
          stepsOfKind(steps, 'decontaminate'),
        )
        const text = join(runDir, 'steps/decontaminate/documents.jsonl.zst')
        new Output(options).say(`The training text is ${text}`)
        return
      }
      await curateByName(subject, options)
    })
}

function unknownPipeline(subject: string): SmolforgeError {
  const hint = `Pipelines are ${pipelineNames.join(', ')}; a recipe is a file such as recipes/tiny.yaml.`
  return new SmolforgeError('usage', `${subject} is no pipeline and no recipe file`, { hint })
}

async function curateByName(pipeline: string, options: CurateOptions): Promise<void> {
  const start = performance.now()
  const output = new Output(options)
  const { input, output: folder } = options
  if (input === undefined || folder === undefined) {
    throw new SmolforgeError('usage', `${pipeline} needs --input PATH and --output DIR`)
  }
  // The kernels of all rooms look here for their number of threads.
  if (options.threads !== undefined) process.env.SMOLFORGE_THREADS = String(options.threads)
  const bytes = await sizeOf(input)
  const { funnel } = await watchRun(output, (watch) =>
    runPipeline(pipeline, pipelineOptions(pipeline, input, options), {
      ...watch,
      output: folder,
      threads: options.threads,
      cacheDir: options.cache,
    }),
  )
  const [first] = funnel.steps
  const last = funnel.steps[funnel.steps.length - 1]
  output.say(funnelTable(funnel.steps))
  output.say(
    `${formatCount(last.documentsOut)} documents: ${join(folder, 'dataset')} (${basename(folder)}/README.md is its card)`,
  )
  output.emit({ output: folder, funnel: funnel.steps })
  const dropped: Record<string, number> = {}
  for (const step of funnel.steps) {
    for (const [rule, documents] of Object.entries(step.dropped))
      dropped[rule] = (dropped[rule] ?? 0) + documents
  }
  const seconds = (performance.now() - start) / 1000
  writeStatisticsLine({ documents: first.documentsIn, bytes, seconds, dropped, damaged: funnel.damaged })
}

function pipelineOptions(pipeline: string, input: string, options: CurateOptions): PipelineOptions {
  if (options.labels !== undefined && options.classifier !== undefined) {
    throw new SmolforgeError('usage', 'Give --labels or --classifier, not both')
  }
  if (options.threshold !== undefined && options.keep !== undefined) {
    throw new SmolforgeError('usage', 'Give --threshold or --keep, not both')
  }
  return {
    input,
    reader: options.reader,
    textField: options.textField,
    name: options.name ?? pipeline,
    licence: options.licence,
    seed: options.seed,
    labels: options.labels,
    classifier: options.classifier,
    threshold: options.threshold,
    keepFraction: options.keep,
    seeds: options.seeds,
    languages: options.language.length > 0 ? options.language : ['eng'],
    languageModel: options.languageModel,
    domainFiles: options.blockDomains,
    urlFiles: options.urls,
    against: options.against,
    madeBy: thisCommand(),
  }
}

function funnelTable(
  steps: readonly {
    step: string
    documentsIn: number
    documentsOut: number
    bytesOut: number
    dropped: Readonly<Record<string, number>>
  }[],
): string {
  const rows = steps.map(({ step, documentsIn, documentsOut, bytesOut, dropped }) => {
    const most = Object.entries(dropped)
      .sort(([, a], [, b]) => b - a)
      .slice(0, 3)
      .map(([rule, documents]) => `${rule} ${documents}`)
    return [step, documentsIn, documentsOut, (bytesOut / 1e6).toFixed(2), most.join(', ')]
  })
  return table([['step', 'in', 'out', 'MB out', 'dropped most by'], ...rows])
}

/** Bytes of a file, or of all files in a folder. */
async function sizeOf(path: string): Promise<number> {
  try {
    const found = await stat(path)
    if (!found.isDirectory()) return found.size
    let bytes = 0
    for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size
    }
    return bytes
  } catch (error) {
    throw fileError(error, path)
  }
}
