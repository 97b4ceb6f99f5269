import type { Command } from 'commander'
import { z } from 'zod'
import type { GeneratedToken } from '../../model/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { answerLines } from '../jsonLines.ts'
import { dtypeOption, type EngineOptions, loadModel, modelHelp } from '../modelPath.ts'
import { Output } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'
import { type SamplingFlags, samplingOf, withSamplingOptions } from '../samplingOptions.ts'

interface GenerateCommandOptions extends EngineOptions, SamplingFlags {
  model: string
  prompts: string
  output: string
  logProbs?: number
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
  const command = program
    .command('generate')
    .requiredOption('--model <path>', modelHelp)
    .requiredOption('--prompts <file>', 'JSON lines {"prompt": ...} or {"messages": [{"role", "content"}]}')
    .requiredOption('--output <file>', 'the same lines with prompt_ids, new_ids and text')
  withSamplingOptions(command, { maxTokens: 64, temperature: 0 })
    .option(
      '--log-probs <n>',
      'add log_probs, and the n likeliest tokens in each place as top_log_probs',
      positiveInteger,
    )
    .addOption(dtypeOption())
    .option('--threads <n>', 'threads of the kernels', positiveInteger)
    .option('--json', 'a summary as one JSON object on standard output')
    .summary('continue prompts or answer conversations')
    .description(
      'Continues each prompt (after the begin token that Llama 3 puts there) until the end of the text, or answers each conversation through the chat template.',
    )
    .addHelpText(
      'after',
      `\nExample:\n  smolforge generate --model runs/quickstart --prompts prompts.jsonl --max-tokens 50 --temperature 0 --output out.jsonl\n${exitCodesHelp}`,
    )
    .action(async (options: GenerateCommandOptions) => {
      const model = await loadModel(options.model, options)
      const { tokenizer, answerStopIds: stopIds } = model
      const sampling = { ...samplingOf(options), stopIds, topLogProbs: options.logProbs }
      const lines = await answerLines(
        { input: options.prompts, output: options.output },
        promptLine,
        (line) => {
          const promptIds =
            'messages' in line
              ? model.chatPrompt(line.messages as Messages)
              : tokenizer.encode(line.prompt as string, { addSpecialTokens: true })
          const { tokens, text } = model.complete(promptIds, sampling)
          const newIds = tokens.map(({ id }) => id)
          return { ...line, prompt_ids: [...promptIds], new_ids: newIds, text, ...logProbFields(tokens) }
        },
      )
      const output = new Output(options)
      output.say(`${lines} prompts continued: ${options.output}`)
      output.emit({ lines, output: options.output })
    })
}

type Messages = z.infer<typeof message>[]

/** `log_probs` of the tokens, and `top_log_probs` as pairs of id and log-probability, where they were asked for. */
function logProbFields(tokens: readonly GeneratedToken[]): object {
  if (tokens.every(({ logProb }) => logProb === undefined)) return {}
  return {
    log_probs: tokens.map(({ logProb }) => logProb),
    top_log_probs: tokens.map(({ top }) => top?.ids.map((id, i) => [id, top.logProbs[i]])),
  }
}
