import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { inputBytes, readTextBatches } from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import {
  type PreTokenizerName,
  preTokenizers,
  smolSpecialTokens,
  trainTokenizer,
} from '../../tokenizer/index.ts'
import { DamageCount } from '../damageCount.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { formatCount, Output } from '../output.ts'
import {
  collect,
  positiveInteger,
  type RecipeOptions,
  runRecipeFile,
  stepsOfKind,
  withRecipeOptions,
} from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface TrainOptions extends RecipeOptions {
  input?: string
  output?: string
  vocab?: number
  vocabSize?: number
  preTokenizer: PreTokenizerName
  special: string[]
}

/** `smolforge tokenizer train`: the tokenizer of a recipe, or one on a file of texts. */
export function addTokenizerTrain(tokenizer: Command): void {
  withRecipeOptions(tokenizer.command('train'), '[recipe]')
    .summary('train the tokenizer of a recipe, or one on texts')
    .description(
      'Everything of a recipe up to its tokenizer. With --input instead: byte-level BPE on texts: JSON lines ' +
        '{"text"} (plain, gzip, zstd), Parquet, or a folder of them. The merges are those of Hugging Face\'s BpeTrainer. The last line on standard ' +
        'error has statistics.',
    )
    .option('--input <file>', 'texts in place of a recipe')
    .option('--output <dir>', 'folder for the tokenizer trained on --input')
    .option('--vocab <n>', 'size of its vocabulary, special tokens and 256 bytes included', positiveInteger)
    .addOption(new Option('--vocab-size <n>', 'the same').argParser(positiveInteger).hideHelp())
    .addOption(
      new Option('--pre-tokenizer <name>', 'how texts are split into words')
        .choices(Object.keys(preTokenizers))
        .default('smollm2'),
    )
    .option(
      '--special <token>',
      "a special token; they take the first ids in the order given (default SmolLM2's 17; may be repeated)",
      collect,
      [],
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge tokenizer train recipes/tiny.yaml
  smolforge tokenizer train --input texts.jsonl --vocab 16384 --output my-tokenizer
  smolforge tokenizer train --input texts.jsonl.zst --vocab 32000 --pre-tokenizer llama3 --special '<|end|>' --output other
${exitCodesHelp}`,
    )
    .action(async (argument: string | undefined, options: TrainOptions) => {
      const output = new Output(options)
      const isTexts = argument !== undefined && /\.(jsonl|ndjson)(\.gz|\.zst)?$/.test(argument)
      const input = options.input ?? (isTexts ? argument : undefined)
      if (input !== undefined) return trainOnFile(input, options, output)
      if (argument === undefined)
        throw new SmolforgeError('usage', 'Name a recipe, or a file of texts with --input')
      const { runDir } = await runRecipeFile(argument, options, (steps) => stepsOfKind(steps, 'tokenizer'))
      output.say(`The tokenizer is ${join(runDir, 'steps/tokenizer/tokenizer')}`)
    })
}

async function trainOnFile(input: string, options: TrainOptions, output: Output): Promise<void> {
  const folder = options.output
  if (!folder) throw new SmolforgeError('usage', 'Say with --output where the tokenizer should go')
  const start = performance.now()
  const bytes = await inputBytes(input)
  const { threads, preTokenizer } = options
  let documents = 0
  const damages = new DamageCount()
  async function* batches() {
    for await (const batch of readTextBatches(input, { threads, onDamage: damages.add })) {
      documents += batch.length
      yield batch
    }
  }
  const signal = stopBySignal((line) => process.stderr.write(`${line}\n`))
  try {
    const trained = await trainTokenizer(batches(), {
      vocabSize: options.vocab ?? options.vocabSize ?? DEFAULT_VOCABULARY,
      preTokenizer,
      specialTokens: options.special.length > 0 ? options.special : smolSpecialTokens,
      threads,
      stop: signal.stop,
    })
    await trained.save(folder)
    output.say(`${formatCount(trained.vocabSize)} tokens: ${folder}`)
    output.emit({ output: folder, vocabSize: trained.vocabSize, documents, damaged: damages.count })
  } finally {
    signal.release()
  }
  const seconds = (performance.now() - start) / 1000
  writeStatisticsLine({ documents, bytes, seconds, dropped: {}, damaged: damages.count })
}

const DEFAULT_VOCABULARY = 8192
