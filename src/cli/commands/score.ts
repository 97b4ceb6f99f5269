import type { Command } from 'commander'
import { LanguageModel, Llama } from '../../model/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { answerLines, textLine } from '../jsonLines.ts'
import { dtypeOption, type EngineOptions, loadModel, modelHelp } from '../modelPath.ts'
import { Output } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'

interface ScoreOptions extends EngineOptions {
  model: string
  input: string
  output: string
  json?: boolean
}

const TOP = 20

/** `smolforge score`: log-probabilities of texts under a model, as a script compares them with another program's. */
export function addScore(program: Command): void {
  program
    .command('score')
    .requiredOption('--model <path>', modelHelp)
    .requiredOption('--input <file>', 'JSON lines {"text": ...}')
    .requiredOption('--output <file>', 'the same lines with ids, token_logprobs, top_ids and top_logprobs')
    .addOption(dtypeOption())
    .option('--threads <n>', 'threads of the kernels', positiveInteger)
    .option('--json', 'a summary as one JSON object on standard output')
    .summary('log-probabilities of texts, token by token')
    .description(
      'Adds to each text its token ids, with what the tokenizer puts around a text (Llama 3 a begin token), the natural-log probability of each token after the first, and the 20 likeliest ' +
        'tokens after the last. Computed in f32 unless --dtype says otherwise. A text longer than the context is scored all the same.',
    )
    .addHelpText(
      'after',
      `\nExample:\n  smolforge score --model runs/quickstart --input texts.jsonl --output scored.jsonl\n${exitCodesHelp}`,
    )
    .action(async (options: ScoreOptions) => {
      const { tokenizer, llama } = await loadModel(options.model, options)
      const lines = await answerLines(options, textLine, (line) => {
        const ids = tokenizer.encode(line.text, { addSpecialTokens: true })
        const model = new LanguageModel(withPositions(llama, ids.length), tokenizer)
        const [logProbs] = ids.length > 1 ? model.tokenLogProbs([ids]) : [new Float32Array()]
        const top =
          ids.length > 0
            ? model.topTokens(ids, Math.min(TOP, tokenizer.vocabSize))
            : { ids: [], logProbs: [] }
        return {
          ...line,
          ids: [...ids],
          token_logprobs: [...logProbs],
          top_ids: top.ids,
          top_logprobs: top.logProbs,
        }
      })
      const output = new Output(options)
      output.say(`${lines} texts scored: ${options.output}`)
      output.emit({ lines, output: options.output })
    })
}

/** Rotary positions go on past the context that a model was trained with: the same weights with more room. */
function withPositions(llama: Llama, tokens: number): Llama {
  const { maxPositionEmbeddings } = llama.config
  if (tokens <= maxPositionEmbeddings) return llama
  return new Llama({ ...llama.config, maxPositionEmbeddings: tokens }, llama.parameters)
}
