import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import colors from 'picocolors'
import type { LanguageModel } from '../../model/index.ts'
import type { ChatMessage } from '../../tokenizer/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { type EngineOptions, loadModelToTalk, modelHelp, talkingDtypeOption } from '../modelPath.ts'
import { number, positiveInteger } from '../runRecipeFile.ts'

interface ChatOptions extends EngineOptions {
  model: string
  system?: string
  maxTokens: number
  temperature: number
  topP: number
  minP?: number
  repetitionPenalty?: number
  seed: number
}

/** `smolforge chat`: a conversation on the terminal; piped, a line is a question. */
export function addChat(program: Command): void {
  program
    .command('chat')
    .requiredOption('--model <path>', modelHelp)
    .option('--system <text>', 'what the model is told first')
    .option('--max-tokens <n>', 'at most so many tokens an answer', positiveInteger, 200)
    .option('--temperature <t>', '0 always takes the likeliest token', number, 0.7)
    .option('--top-p <p>', 'sample from the likeliest tokens of this share', number, 0.95)
    .option('--min-p <p>', 'leave out what is less likely than this share of the likeliest', number)
    .option('--repetition-penalty <r>', 'above 1: what was said becomes less likely', number)
    .option('--seed <n>', 'of the sampling', number, 0)
    .addOption(talkingDtypeOption())
    .option('--threads <n>', 'threads of the kernels', positiveInteger)
    .summary('talk to a model')
    .description('Answers as they are made. /reset forgets the conversation, /exit ends it.')
    .addHelpText(
      'after',
      `\nExamples:\n  smolforge chat --model runs/quickstart\n  echo 'What is 3 + 4?' | smolforge chat --model runs/quickstart --temperature 0\n${exitCodesHelp}`,
    )
    .action(async (options: ChatOptions) => {
      await talk(await loadModelToTalk(options.model, options), options)
    })
}

async function talk(model: LanguageModel, options: ChatOptions): Promise<void> {
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
  const beginning: ChatMessage[] = options.system ? [{ role: 'system', content: options.system }] : []
  let messages = [...beginning]
  let turn = 0
  const lines = createInterface({
    input: process.stdin,
    output: isTerminal ? process.stdout : undefined,
    prompt: isTerminal ? colors.cyan('you ') : '',
  })
  if (isTerminal) process.stdout.write(colors.dim('/reset forgets the conversation, /exit ends it.\n'))
  // Input may end while an answer is made; Node 24 throws when a closed reader is asked to prompt.
  let ended = false
  lines.once('close', () => {
    ended = true
  })
  lines.prompt()
  for await (const line of lines) {
    const content = line.trim()
    if (content === '/exit') break
    if (content === '/reset') {
      messages = [...beginning]
      if (isTerminal) process.stdout.write(colors.dim('forgotten\n'))
    } else if (content !== '') {
      messages = trimTurns(model, [...messages, { role: 'user', content }], beginning.length)
      let answer = ''
      const { maxTokens, temperature, topP, minP, repetitionPenalty } = options
      for (const piece of model.chat(messages, {
        maxTokens,
        temperature,
        topP,
        minP,
        repetitionPenalty,
        seed: options.seed + turn++,
      })) {
        process.stdout.write(piece)
        answer += piece
        // Lets the terminal draw and Ctrl-C through between two tokens.
        await new Promise((resolve) => setImmediate(resolve))
      }
      process.stdout.write('\n')
      messages.push({ role: 'assistant', content: answer })
    }
    if (!ended) lines.prompt()
  }
  lines.close()
}

/** Forgets the oldest turns until the rest leaves half of the context for the answer. */
function trimTurns(model: LanguageModel, messages: ChatMessage[], kept: number): ChatMessage[] {
  const room = model.llama.config.maxPositionEmbeddings / 2
  const fitted = [...messages]
  while (fitted.length > kept + 1 && model.chatPrompt(fitted).length > room) fitted.splice(kept, 2)
  return fitted
}
