import { type Command, Option } from 'commander'
import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'
import { readJsonLines } from '../../files/jsonl.ts'
import { loraTargets } from '../../model/index.ts'
import { configure } from '../../tensor/index.ts'
import { type TuneData, type TuneOptions, tune } from '../../train/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { findModel } from '../modelPath.ts'
import { formatSeconds, Output } from '../output.ts'
import { number, positiveInteger } from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'

interface TuneCommandOptions {
  model: string
  input: string
  output: string
  lora?: number
  loraAlpha?: number
  loraTargets?: string
  learningRate: number
  epochs: number
  batch: number
  microBatch?: number
  length?: number
  warmup: number
  beta: number
  recompute?: boolean
  state: 'f32' | '8bit'
  dtype: 'f32' | 'bf16'
  checkpointEvery: number
  seed: number
  threads?: number
  json?: boolean
}

interface Way {
  kind: TuneData['kind']
  summary: string
  lines: string
  epochs: number
  learningRate: number
  weightDecay: number
  read(file: string, options: TuneCommandOptions): Promise<TuneData>
}

const messages = z
  .array(z.looseObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() }))
  .min(1)

const ways: readonly Way[] = [
  {
    kind: 'pretrain',
    summary: 'go on pretraining a model on texts',
    lines: '{"text": ...}',
    epochs: 1,
    learningRate: 1e-4,
    weightDecay: 0.01,
    read: async (file) => {
      const lines = await readAll(file, z.looseObject({ text: z.string() }))
      return { kind: 'pretrain', texts: lines.map(({ text }) => text) }
    },
  },
  {
    kind: 'sft',
    summary: 'tune a model to conversations, loss on the answers alone',
    lines: '{"messages": [{"role", "content"}, ...]}',
    epochs: 2,
    learningRate: 1e-4,
    weightDecay: 0,
    read: async (file) => {
      const lines = await readAll(file, z.looseObject({ messages }))
      return { kind: 'sft', conversations: lines.map((line) => line.messages) }
    },
  },
  {
    kind: 'dpo',
    summary: 'tune a model to preferences',
    lines: '{"messages": [...], "chosen": ..., "rejected": ...}',
    epochs: 1,
    learningRate: 1e-5,
    weightDecay: 0,
    read: async (file, { beta }) => {
      const line = z.looseObject({ messages, chosen: z.string(), rejected: z.string() })
      return { kind: 'dpo', pairs: await readAll(file, line), beta }
    },
  },
]

/** `smolforge tune pretrain|sft|dpo`: trains a model that was loaded from a folder, without a recipe. */
export function addTune(program: Command): void {
  const command = program
    .command('tune')
    .summary('train a loaded model further, all weights or adapters (LoRA)')
    .description(
      'Trains a model from a folder further on your own lines, without a recipe, and writes a model folder. ' +
        'A run that is stopped or killed goes on when the same command is given again.',
    )
  for (const way of ways) {
    command
      .command(way.kind)
      .summary(way.summary)
      .description(`${way.summary[0].toUpperCase()}${way.summary.slice(1)}.`)
      .requiredOption('--model <path>', 'to begin from: a model folder, a GGUF file, or the folder of a run')
      .requiredOption('--input <file>', `JSON lines ${way.lines}`)
      .requiredOption('--output <dir>', 'the folder of the tuned model; it appears when it is whole')
      .option('--lora <rank>', 'train adapters of this rank in place of the weights', positiveInteger)
      .option('--lora-alpha <a>', 'adapters are scaled by alpha / rank (default 2 rank)', number)
      .option('--lora-targets <list>', `of ${loraTargets.join(',')} (default all)`)
      .option(
        '--learning-rate <r>',
        'peak rate; adapters like about ten times as much',
        number,
        way.learningRate,
      )
      .option('--epochs <n>', 'how often all lines are seen', number, way.epochs)
      .option('--batch <n>', 'rows in one step of the optimizer', positiveInteger, 8)
      .option('--micro-batch <n>', 'rows computed at once, to save memory (default all)', positiveInteger)
      .option('--length <n>', 'tokens of a row (default all positions of the model)', positiveInteger)
      .option('--warmup <share>', 'share of the steps over which the rate rises', number, 0.05)
      .option('--beta <b>', 'dpo: how strongly the model is held to the one it was', number, 0.1)
      .option('--recompute', 'compute activations again in backward, to save memory in long rows')
      .addOption(
        new Option('--state <type>', "what AdamW's moments are kept in")
          .choices(['f32', '8bit'])
          .default('f32'),
      )
      .addOption(
        new Option('--dtype <type>', 'inputs of matrix products').choices(['f32', 'bf16']).default('f32'),
      )
      .option('--checkpoint-every <n>', 'steps between checkpoints', positiveInteger, 100)
      .option('--seed <n>', 'of the order and of new adapters', number, 1)
      .option('--threads <n>', 'threads of the kernels', positiveInteger)
      .option('--json', 'one JSON object a line on standard output, one for each step')
      .addHelpText(
        'after',
        `\nExamples:\n  smolforge tune ${way.kind} --model runs/quickstart --input lines.jsonl --output tuned\n` +
          `  smolforge tune ${way.kind} --model SmolLM2-135M --input lines.jsonl --output tuned --lora 16 --state 8bit\n${exitCodesHelp}`,
      )
      .action((options: TuneCommandOptions) => run(way, options))
  }
}

async function run(way: Way, options: TuneCommandOptions): Promise<void> {
  const output = new Output(options)
  const { threads, dtype, seed, lora: rank } = options
  configure(threads === undefined ? { precision: dtype } : { threads, precision: dtype })
  const model = findModel(options.model)
  const data = await way.read(options.input, options)
  const signals = stopBySignal((line) => output.say(line))
  try {
    const result = await tune({
      model,
      output: options.output,
      data,
      lora: rank === undefined ? undefined : adapters(rank, options),
      optimizer: {
        kind: 'adamw',
        learningRate: options.learningRate,
        weightDecay: way.weightDecay,
        state: options.state,
      },
      batchSize: options.batch,
      microBatchSize: options.microBatch,
      epochs: options.epochs,
      sequenceLength: options.length,
      warmupFraction: options.warmup,
      recomputeActivations: options.recompute,
      checkpointEverySteps: options.checkpointEvery,
      seed,
      stop: signals.stop,
      onMetrics: (metrics) => {
        output.emit({ type: 'step', ...metrics })
        const { step, loss, tokensPerSecond } = metrics
        if (!output.json && (step === 1 || step % 10 === 0)) {
          output.say(`step ${step}  loss ${loss.toFixed(4)}  ${Math.round(tokensPerSecond)} tokens/s`)
        }
      },
      onWarning: (warning) => output.say(`warning: ${warning}`),
    })
    const { step, loss, tokens, elapsedMs } = result
    output.say(
      `${step} steps, loss ${loss?.toFixed(4)}, ${formatSeconds(elapsedMs / 1000)}: the model is ${options.output}`,
    )
    output.emit({ type: 'done', output: options.output, steps: step, loss, tokens, elapsedMs })
  } finally {
    signals.release()
  }
}

function adapters(rank: number, options: TuneCommandOptions): TuneOptions['lora'] {
  const targets = loraTargets.filter((target) => options.loraTargets?.split(',').includes(target))
  const unknown = options.loraTargets
    ?.split(',')
    .find((target) => !(loraTargets as string[]).includes(target))
  if (unknown !== undefined) {
    throw new SmolforgeError('usage', `There is no matrix ${unknown}, there are ${loraTargets.join(', ')}`)
  }
  return {
    rank,
    alpha: options.loraAlpha ?? 2 * rank,
    ...(targets.length > 0 && { targets }),
  }
}

async function readAll<Schema extends z.ZodType>(file: string, schema: Schema): Promise<z.infer<Schema>[]> {
  const values: z.infer<Schema>[] = []
  for await (const { line, value } of readJsonLines(file)) {
    const parsed = schema.safeParse(value)
    if (!parsed.success) {
      const message = `Not a line of the form that is asked for: ${z.prettifyError(parsed.error)}`
      throw new SmolforgeError('input', message, { place: { file, line } })
    }
    values.push(parsed.data)
  }
  return values
}
