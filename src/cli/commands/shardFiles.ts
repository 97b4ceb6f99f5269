import type { Command } from 'commander'
import { inputBytes, readTextBatches } from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import {
  type PackedDocuments,
  type PackingFigures,
  packingFigures,
  ShardSet,
  writeShards,
} from '../../shards/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { DamageCount } from '../damageCount.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { formatCount, Output } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

/** `smolforge shards write|inspect`: texts to tokens on the disk, and from a token back to its document. */
export function addShardFiles(shards: Command): void {
  addWrite(shards)
  addInspect(shards)
}

interface WriteOptions {
  tokenizer: string
  input: string
  output: string
  domain: string
  shardTokens?: number
  threads?: number
  json?: boolean
}

function addWrite(shards: Command): void {
  shards
    .command('write')
    .requiredOption('--tokenizer <path>', 'a folder with tokenizer.json, the file, or a .gguf file')
    .requiredOption(
      '--input <file>',
      'JSON lines {"id", "text"} (plain, gzip, zstd), Parquet, or a folder of them',
    )
    .requiredOption('--output <dir>', 'a new folder for the shards')
    .option('--domain <name>', 'the domain that the documents are of', 'text')
    .option('--shard-tokens <n>', 'a shard is closed at so many tokens (default 67108864)', positiveInteger)
    .option('--threads <n>', 'threads (default all cores)', positiveInteger)
    .option('--json', 'one JSON object on standard output')
    .summary('encode documents into shards')
    .description(
      'Documents as token ids of 2 or 4 bytes, each with its end token, with checksums and an index of documents. The ' +
        'folder appears whole. The last line on standard error has statistics.',
    )
    .addHelpText(
      'after',
      `\nExamples:\n  smolforge shards write --tokenizer my-tokenizer --input docs.jsonl.zst --output shards/prose --domain prose\n  smolforge shards write --tokenizer my-tokenizer --input runs/fineweb-edu/dataset --output shards/edu --domain edu\n${exitCodesHelp}`,
    )
    .action(async (options: WriteOptions) => {
      const start = performance.now()
      const bytes = await inputBytes(options.input)
      const { threads, domain, shardTokens } = options
      const tokenizer = await Tokenizer.load(options.tokenizer)
      const { vocabSize, endOfTextId } = tokenizer
      const damages = new DamageCount()
      async function* packed(): AsyncGenerator<PackedDocuments> {
        const batches = readTextBatches(options.input, { threads, onDamage: damages.add })
        for await (const batch of batches) {
          const ids = batch.idsJson().map((id) => String(JSON.parse(id)))
          yield { ids, ...(await tokenizer.packTexts(batch, vocabSize <= 65536 ? 2 : 4, threads)) }
        }
      }
      const signal = stopBySignal((line) => process.stderr.write(`${line}\n`))
      try {
        const set = await writeShards(options.output, packed(), {
          domain,
          vocabSize,
          endOfTextId,
          shardTokens,
          stop: signal.stop,
        })
        set.close()
        const { documents, tokens, dtype } = set
        const output = new Output(options)
        output.say(
          `${options.output}: ${formatCount(tokens)} tokens of ${formatCount(documents)} documents, ${dtype}`,
        )
        output.emit({ output: options.output, domain, documents, tokens, dtype, damaged: damages.count })
        const seconds = (performance.now() - start) / 1000
        writeStatisticsLine({ documents, bytes, seconds, dropped: {}, damaged: damages.count })
      } finally {
        signal.release()
      }
    })
}

interface InspectOptions {
  token?: number
  document?: string
  sequenceLength?: number
  json?: boolean
}

function addInspect(shards: Command): void {
  shards
    .command('inspect')
    .argument('<folder>', 'shards of one domain')
    .option('--token <n>', 'the document that this token came from, counted from 0', wholeNumber)
    .option('--document <id>', 'where this document went')
    .option(
      '--sequence-length <n>',
      'rows, padding and cut documents by either packing in rows of n tokens',
      positiveInteger,
    )
    .option('--json', 'one JSON object on standard output')
    .summary('what shards hold; from a token to its document and back')
    .description('Compares the checksums, then says what is asked for.')
    .addHelpText(
      'after',
      `
Examples:
  smolforge shards inspect runs/tiny/steps/shards/prose
  smolforge shards inspect runs/tiny/steps/shards/prose --token 123456
  smolforge shards inspect runs/tiny/steps/shards/prose --document speeches:12
  smolforge shards inspect runs/tiny/steps/shards/prose --sequence-length 2048
${exitCodesHelp}`,
    )
    .action(async (folder: string, options: InspectOptions) => {
      const output = new Output(options)
      const set = await ShardSet.open(folder)
      try {
        inspect(set, options, output)
      } finally {
        set.close()
      }
    })
}

function inspect(set: ShardSet, options: InspectOptions, output: Output): void {
  const { domain, dtype, tokens, documents, vocabSize, endOfTextId, shards } = set
  const found: Record<string, unknown> = { domain, dtype, tokens, documents, vocabSize, endOfTextId, shards }
  output.say(
    `${domain}: ${formatCount(tokens)} tokens (${dtype}) of ${formatCount(documents)} documents in ` +
      `${shards.length} shards, checksums hold`,
  )
  if (options.token !== undefined) {
    const document = set.documentAt(options.token)
    const place = set.fileOf(options.token)
    found.token = { position: options.token, ...place, document }
    output.say(
      `token ${options.token}: ${document.id}, its tokens ${document.start} to ${document.end}; ` +
        `${place.file} at byte ${place.byte}`,
    )
  }
  if (options.document !== undefined) {
    const document = set.find(options.document)
    if (document === undefined) {
      throw new SmolforgeError('input', `${domain} has no document ${options.document}`)
    }
    const place = set.fileOf(document.start)
    found.document = { ...document, ...place }
    output.say(
      `${document.id}: tokens ${document.start} to ${document.end}; ${place.file} at byte ${place.byte}`,
    )
  }
  if (options.sequenceLength !== undefined) {
    const { concatenate, bestFit } = packingFigures(set, options.sequenceLength, 0)
    found.packing = { sequenceLength: options.sequenceLength, concatenate, bestFit }
    const say = (name: string, { rows, paddingShare, cutDocuments }: PackingFigures) =>
      output.say(
        `${name}: ${formatCount(rows)} rows, ${(100 * paddingShare).toFixed(2)} % padding, ` +
          `${formatCount(cutDocuments)} documents cut`,
      )
    say('end to end', concatenate)
    say('best fit', bestFit)
  }
  output.emit(found)
}

function wholeNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new SmolforgeError('usage', `${text} is no whole number`)
}
