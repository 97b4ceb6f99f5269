import { join } from 'node:path'
import { Llama } from '../../model/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { sft } from '../../train/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind } from '../step.ts'
import { conversationSchema, readLines } from './conversations.ts'
import { configureEngine, keepNewestCheckpoint, trainingResult, tuned } from './training.ts'

export type SftConfig = Omit<NonNullable<Recipe['sft']>, 'examples'> & {
  seed: number
  engine: Recipe['engine']
  from: string
}

/** Fine-tunes the base model on conversations, loss on the answers alone. */
export const sftStep: StepKind<SftConfig> = {
  kind: 'sft',
  version: 1,
  resumes: true,
  async run(work) {
    const { from, engine, seed, epochs, batchSize, learningRate, warmup, sequenceLength } = work.config
    configureEngine(work.places, engine.precision)
    const folder = join(work.inputs[from], 'model')
    const tokenizer = await Tokenizer.load(folder)
    const model = tuned(await Llama.load(folder), work.config.lora, seed)
    const examples = await readLines(join(work.inputs['sft-data'], 'conversations.jsonl'), conversationSchema)
    const state = join(work.folder, 'state')
    try {
      const result = await sft({
        llama: model.llama,
        tokenizer,
        conversations: examples.map(({ messages }) => messages),
        optimizer: { kind: 'adamw', learningRate, weightDecay: 0 },
        epochs,
        batchSize,
        microBatchSize: work.config.microBatchSize,
        seed,
        sequenceLength,
        warmupFraction: warmup,
        checkpoint: { dir: state, everySteps: work.config.checkpointEverySteps },
        metricsFile: join(work.folder, 'metrics.jsonl'),
        onProgress: work.onProgress,
        stop: work.stop,
      })
      await model.save(work.folder, tokenizer)
      await keepNewestCheckpoint(state)
      const summary = trainingResult(result)
      const { truncated, dropped } = result
      return { ...summary, counts: { ...summary.counts, examples: examples.length, truncated, dropped } }
    } finally {
      model.free()
    }
  },
}
