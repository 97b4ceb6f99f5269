import type { Command } from 'commander'
import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { answerLines } from '../jsonLines.ts'
import { Output } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'
import { addTokenizerReport } from './tokenizerReport.ts'
import { addTokenizerTrain } from './tokenizerTrain.ts'

interface LinesOptions {
  tokenizer: string
  input: string
  output: string
  json?: boolean
}

/** `smolforge tokenizer train|encode|decode|report`. */
export function addTokenizer(program: Command): void {
  const tokenizer = program
    .command('tokenizer')
    .summary('train a tokenizer; text to ids and back')
    .description(
      "Byte-level BPE as SmolLM2, GPT-2, Llama 3 and Qwen have it, in Hugging Face's tokenizer.json.",
    )
  addTokenizerTrain(tokenizer)
  addEncode(tokenizer)
  addDecode(tokenizer)
  addTokenizerReport(tokenizer)
}

const idsLine = z.looseObject({ ids: z.array(z.int().nonnegative()) })

function addEncode(tokenizer: Command): void {
  withPaths(tokenizer.command('encode'))
    .requiredOption('--input <file>', 'JSON lines {"text": ...}, plain, gzip or zstd; the output adds ids')
    .option(
      '--no-special-tokens',
      'leave out what the tokenizer puts around a text, such as <|begin_of_text|>',
    )
    .option('--threads <n>', 'threads (default all cores)', positiveInteger)
    .summary('text to ids')
    .description(
      'Text to ids, line by line. Text that spells a special token is that token. The last line on standard error ' +
        'has statistics.',
    )
    .addHelpText('after', example('encode'))
    .action(async (options: LinesOptions & { specialTokens: boolean; threads?: number }) => {
      const start = performance.now()
      const codec = await Tokenizer.load(options.tokenizer)
      const signal = stopBySignal((line) => process.stderr.write(`${line}\n`))
      try {
        const { lines, tokens, inputBytes } = await codec.encodeLines(options.input, options.output, {
          addSpecialTokens: options.specialTokens,
          threads: options.threads,
          stop: signal.stop,
        })
        const output = new Output(options)
        output.say(`${lines} lines, ${tokens} tokens: ${options.output}`)
        output.emit({ lines, tokens, output: options.output })
        const seconds = (performance.now() - start) / 1000
        writeStatisticsLine({ documents: lines, bytes: inputBytes, seconds, dropped: {}, damaged: 0 })
      } finally {
        signal.release()
      }
    })
}

function addDecode(tokenizer: Command): void {
  withPaths(tokenizer.command('decode'))
    .requiredOption('--input <file>', 'JSON lines {"ids": [...]}; the output adds text')
    .summary('ids to text')
    .description('Ids to text, line by line.')
    .addHelpText('after', example('decode'))
    .action(async (options: LinesOptions) => {
      const codec = await Tokenizer.load(options.tokenizer)
      const lines = await answerLines(options, idsLine, (line) => ({
        ...line,
        text: codec.decode(checkedIds(codec, line.ids)),
      }))
      const output = new Output(options)
      output.say(`${lines} lines: ${options.output}`)
      output.emit({ lines, output: options.output })
    })
}

function withPaths(command: Command): Command {
  return command
    .requiredOption('--tokenizer <path>', 'a folder with tokenizer.json, the file, or a .gguf file')
    .requiredOption('--output <file>', 'where the lines go')
    .option('--json', 'a summary as one JSON object on standard output')
}

const example = (name: string) =>
  `\nExample:\n  smolforge tokenizer ${name} --tokenizer runs/quickstart/model --input in.jsonl --output out.jsonl\n${exitCodesHelp}`

function checkedIds(codec: Tokenizer, ids: readonly number[]): readonly number[] {
  const unknown = ids.find((id) => id >= codec.vocabSize)
  if (unknown === undefined) return ids
  throw new SmolforgeError('input', `${unknown} is no token: the vocabulary has ${codec.vocabSize}`)
}
