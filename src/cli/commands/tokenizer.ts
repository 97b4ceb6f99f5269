import { join } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'
import { readJsonLines } from '../../files/jsonl.ts'
import { Tokenizer, trainTokenizer } from '../../tokenizer/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { answerLines, textLine } from '../jsonLines.ts'
import { Output } from '../output.ts'
import {
  positiveInteger,
  type RecipeOptions,
  runRecipeFile,
  stepsOfKind,
  withRecipeOptions,
} from '../runRecipeFile.ts'

interface LinesOptions {
  tokenizer: string
  input: string
  output: string
  json?: boolean
}

/** `smolforge tokenizer train|encode|decode`. */
export function addTokenizer(program: Command): void {
  const tokenizer = program
    .command('tokenizer')
    .summary('train a tokenizer; text to ids and back')
    .description(
      "Byte-level BPE with SmolLM2's pre-tokenizer and special tokens, in Hugging Face's tokenizer.json.",
    )
  addTrain(tokenizer)
  addLines(
    tokenizer,
    'encode',
    'text to ids',
    'JSON lines {"text": ...}; the output adds ids',
    textLine,
    (codec, line) => ({
      ...line,
      ids: [...codec.encode(line.text)],
    }),
  )
  addLines(
    tokenizer,
    'decode',
    'ids to text',
    'JSON lines {"ids": [...]}; the output adds text',
    idsLine,
    (codec, line) => ({
      ...line,
      text: codec.decode(checkedIds(codec, line.ids)),
    }),
  )
}

const idsLine = z.looseObject({ ids: z.array(z.int().nonnegative()) })

function addTrain(tokenizer: Command): void {
  withRecipeOptions(tokenizer.command('train'))
    .summary('train the tokenizer of a recipe, or one on texts')
    .description(
      'Everything of a recipe up to its tokenizer. With --input instead: a .jsonl file of {"text"} in place of the ' +
        'recipe, and --output for the folder.',
    )
    .option('--output <dir>', 'folder for a tokenizer trained on a file of texts')
    .option('--vocab-size <n>', 'size of its vocabulary', positiveInteger, 8192)
    .addHelpText(
      'after',
      `
Examples:
  smolforge tokenizer train recipes/tiny.yaml
  smolforge tokenizer train texts.jsonl --output my-tokenizer --vocab-size 4096
${exitCodesHelp}`,
    )
    .action(async (file: string, options: RecipeOptions & { output?: string; vocabSize: number }) => {
      const output = new Output(options)
      if (/\.(jsonl|ndjson)$/.test(file)) {
        const folder = options.output
        if (!folder) throw new SmolforgeError('usage', 'Say with --output where the tokenizer should go')
        const trained = await trainTokenizer(texts(file), { vocabSize: options.vocabSize })
        await trained.save(folder)
        output.say(`${trained.vocabSize} tokens: ${folder}`)
        output.emit({ output: folder, vocabSize: trained.vocabSize })
        return
      }
      const { runDir } = await runRecipeFile(file, options, (steps) => stepsOfKind(steps, 'tokenizer'))
      output.say(`The tokenizer is ${join(runDir, 'steps/tokenizer/tokenizer')}`)
    })
}

function addLines<Schema extends z.ZodType>(
  tokenizer: Command,
  name: string,
  summary: string,
  input: string,
  schema: Schema,
  answer: (codec: Tokenizer, line: z.infer<Schema>) => object,
): void {
  tokenizer
    .command(name)
    .requiredOption('--tokenizer <path>', 'a folder with tokenizer.json, the file, or a .gguf file')
    .requiredOption('--input <file>', input)
    .requiredOption('--output <file>', 'where the lines go')
    .option('--json', 'a summary as one JSON object on standard output')
    .summary(summary)
    .description(`${summary}, line by line. Text that spells a special token is that token.`)
    .addHelpText(
      'after',
      `\nExample:\n  smolforge tokenizer ${name} --tokenizer runs/quickstart/model --input in.jsonl --output out.jsonl\n${exitCodesHelp}`,
    )
    .action(async (options: LinesOptions) => {
      const codec = await Tokenizer.load(options.tokenizer)
      const lines = await answerLines(options, schema, (line) => answer(codec, line))
      const output = new Output(options)
      output.say(`${lines} lines: ${options.output}`)
      output.emit({ lines, output: options.output })
    })
}

function checkedIds(codec: Tokenizer, ids: readonly number[]): readonly number[] {
  const unknown = ids.find((id) => id >= codec.vocabSize)
  if (unknown === undefined) return ids
  throw new SmolforgeError('input', `${unknown} is no token: the vocabulary has ${codec.vocabSize}`)
}

const BATCH = 1024

async function* texts(file: string): AsyncGenerator<string[]> {
  let batch: string[] = []
  for await (const { line, value } of readJsonLines(file)) {
    const parsed = textLine.safeParse(value)
    if (!parsed.success) throw new SmolforgeError('input', 'A line has "text"', { place: { file, line } })
    batch.push(parsed.data.text)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  yield batch
}
