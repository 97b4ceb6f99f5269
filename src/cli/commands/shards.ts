import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { fileError, SmolforgeError } from '../../errors.ts'
import {
  openDatatrove,
  readDatatrove,
  ShardSet,
  type TokenizedDocument,
  writeDatatrove,
  writeShards,
} from '../../shards/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { formatCount, Output } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'
import { addShardFiles } from './shardFiles.ts'

/** `smolforge shards write|inspect|export|import`: tokens on the disk, and in the form that other trainers read. */
export function addShards(program: Command): void {
  const shards = program
    .command('shards')
    .summary('tokens on the disk, for training here and elsewhere')
    .description(
      'Packed tokens with checksums and an index back to the documents; and the form of datatrove, which nanotron ' +
        'trains on.',
    )
  addExport(shards)
  addImport(shards)
  addShardFiles(shards)
}

interface ExportOptions {
  input: string
  output: string
  tokenizer?: string
  seed: number
  json?: boolean
}

function addExport(shards: Command): void {
  shards
    .command('export')
    .requiredOption('--input <path>', 'folder of a run, of its step shards, or of one domain')
    .requiredOption('--output <dir>', 'a new folder for .ds files, their indices and metadata')
    .option(
      '--tokenizer <name>',
      "what the other trainer loads the tokenizer from (default the run's own folder)",
    )
    .option('--seed <n>', 'of the order of the documents', Number, 0)
    .option('--json', 'one JSON object on standard output')
    .summary("write a run's tokens as datatrove's .ds files for nanotron")
    .description(
      'For each domain 00000_DOMAIN_shuffled.ds (tokens), .ds.index (where documents end) and .ds.metadata. ' +
        'Checksums of the shards are compared on the way.',
    )
    .addHelpText(
      'after',
      `\nExample:\n  smolforge shards export --input runs/quickstart --output exported --tokenizer HuggingFaceTB/SmolLM2-135M\n${exitCodesHelp}`,
    )
    .action(async (options: ExportOptions) => {
      const output = new Output(options)
      const start = performance.now()
      if (!Number.isSafeInteger(options.seed))
        throw new SmolforgeError('usage', '--seed must be a whole number')
      const { folders, tokenizer } = findShards(options.input)
      const sets: ShardSet[] = []
      try {
        for (const folder of folders) sets.push(await ShardSet.open(folder))
        const name = options.tokenizer ?? tokenizer
        if (name === undefined) {
          throw new SmolforgeError('usage', 'No tokenizer is beside these shards: name one with --tokenizer')
        }
        const files = await writeDatatrove(options.output, sets, { tokenizer: name, seed: options.seed })
        let [documents, bytes] = [0, 0]
        for (const file of files) {
          output.say(
            `${file.path}: ${formatCount(file.tokens)} tokens, ${formatCount(file.documents)} documents`,
          )
          documents += file.documents
          bytes += file.tokens * file.tokenSize
        }
        output.emit({ output: options.output, files })
        writeStatisticsLine({
          documents,
          bytes,
          seconds: (performance.now() - start) / 1000,
          dropped: {},
          damaged: 0,
        })
      } finally {
        for (const set of sets) set.close()
      }
    })
}

interface ImportOptions {
  input: string
  output: string
  domain: string
  vocab: number
  endOfText: number
  json?: boolean
}

function addImport(shards: Command): void {
  shards
    .command('import')
    .requiredOption('--input <path>', 'a .ds file, or a folder of them')
    .requiredOption('--output <dir>', 'a new folder for the shards')
    .requiredOption('--vocab <n>', 'size of the vocabulary', positiveInteger)
    .requiredOption('--end-of-text <id>', 'the token that ends a document', Number)
    .option('--domain <name>', 'what these tokens are', 'imported')
    .option('--json', 'one JSON object on standard output')
    .summary("read datatrove's .ds files into shards")
    .description('Every document keeps its bounds; its id is the file and its number there.')
    .addHelpText(
      'after',
      `\nExample:\n  smolforge shards import --input tokens/ --output shards/web --domain web --vocab 49152 --end-of-text 0\n${exitCodesHelp}`,
    )
    .action(async (options: ImportOptions) => {
      const output = new Output(options)
      const start = performance.now()
      const files = await openDatatrove(options.input)
      async function* documents(): AsyncGenerator<TokenizedDocument[]> {
        for (const file of files) yield* readDatatrove(file)
      }
      const { domain, vocab: vocabSize, endOfText: endOfTextId } = options
      const set = await writeShards(resolve(options.output), documents(), { domain, vocabSize, endOfTextId })
      set.close()
      output.say(
        `${options.output}: ${formatCount(set.tokens)} tokens, ${formatCount(set.documents)} documents`,
      )
      output.emit({ output: options.output, tokens: set.tokens, documents: set.documents })
      const bytes = files.reduce((sum, file) => sum + file.tokens * file.tokenSize, 0)
      const seconds = (performance.now() - start) / 1000
      writeStatisticsLine({ documents: set.documents, bytes, seconds, dropped: {}, damaged: 0 })
    })
}

/** The shard sets that a path means, and the tokenizer that they were made with where it is there too. */
function findShards(path: string): { folders: string[]; tokenizer?: string } {
  const isSet = (folder: string) => existsSync(join(folder, 'documents.bin'))
  if (isSet(path)) return { folders: [path] }
  const step = existsSync(join(path, 'steps/shards')) ? join(path, 'steps/shards') : path
  let folders: string[]
  try {
    folders = readdirSync(step)
      .map((name) => join(step, name))
      .filter(isSet)
      .sort()
  } catch (error) {
    throw fileError(error, path)
  }
  if (folders.length === 0) {
    throw new SmolforgeError('input', 'No shards are here', {
      place: { file: path },
      hint: 'Name the folder of a run whose step shards is done, or a folder with shards.json.',
    })
  }
  const tokenizer = resolve(step, '../tokenizer/tokenizer')
  return { folders, tokenizer: existsSync(tokenizer) ? tokenizer : undefined }
}
