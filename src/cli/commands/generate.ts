import type { Command } from 'commander'
import { z } from 'zod'
import { exitCodesHelp } from '../exitCodes.ts'
import { answerLines } from '../jsonLines.ts'
import { dtypeOption, type EngineOptions, loadModel, modelHelp } from '../modelPath.ts'
import { Output } from '../output.ts'
import { number, positiveInteger } from '../runRecipeFile.ts'

interface GenerateCommandOptions extends EngineOptions {
  model: string
  prompts: string
  output: string
  maxTokens: number
  temperature: number
  topP?: number
  topK?: number
  minP?: number
  repetitionPenalty?: number
  seed: number
  json?: boolean
}

const message = z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })
const promptLine = z.union(
  [z.looseObject({ prompt: z.string() }), z.looseObject({ messages: z.array(message).min(1) })],
  {
    error: 'a line has "prompt" (a text) or "messages" (a conversation)',
  },
)

/** `smolforge generate`: continuations of prompts, answers to conversations. */
export function addGenerate(program: Command): void {
  program
    .command('generate')
    .requiredOption('--model <path>', modelHelp)
    .requiredOption('--prompts <file>', 'JSON lines {"prompt": ...} or {"messages": [{"role", "content"}]}')
    .requiredOption('--output <file>', 'the same lines with prompt_ids, new_ids and text')
    .option('--max-tokens <n>', 'at most so many new tokens', positiveInteger, 64)
    .option('--temperature <t>', '0 always takes the likeliest token', number, 0)
    .option('--top-p <p>', 'sample from the likeliest tokens of this share', number)
    .option('--top-k <k>', 'sample from so many likeliest tokens', positiveInteger)
    .option('--min-p <p>', 'leave out what is less likely than this share of the likeliest', number)
    .option('--repetition-penalty <r>', 'above 1: what was said becomes less likely', number)
    .option('--seed <n>', 'of the sampling', number, 0)
    .addOption(dtypeOption())
    .option('--threads <n>', 'threads of the kernels', positiveInteger)
    .option('--json', 'a summary as one JSON object on standard output')
    .summary('continue prompts or answer conversations')
    .description(
      'Continues each prompt until the end of the text, or answers each conversation through the chat template.',
    )
    .addHelpText(
      'after',
      `\nExample:\n  smolforge generate --model runs/quickstart --prompts prompts.jsonl --max-tokens 50 --temperature 0 --output out.jsonl\n${exitCodesHelp}`,
    )
    .action(async (options: GenerateCommandOptions) => {
      const { maxTokens, temperature, topP, topK, minP, repetitionPenalty, seed } = options
      const sampling = { temperature, topP, topK, minP, repetitionPenalty, seed }
      const model = await loadModel(options.model, options)
      const { tokenizer, answerStopIds: stopIds } = model
      const lines = await answerLines(
        { input: options.prompts, output: options.output },
        promptLine,
        (line) => {
          const promptIds =
            'messages' in line
              ? model.chatPrompt(line.messages as Messages)
              : tokenizer.encode(line.prompt as string)
          const newIds = [...model.generate(promptIds, { maxTokens, ...sampling, stopIds })]
          return { ...line, prompt_ids: [...promptIds], new_ids: newIds, text: tokenizer.decode(newIds) }
        },
      )
      const output = new Output(options)
      output.say(`${lines} prompts continued: ${options.output}`)
      output.emit({ lines, output: options.output })
    })
}

type Messages = z.infer<typeof message>[]
