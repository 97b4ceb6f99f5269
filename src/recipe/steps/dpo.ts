import { join } from 'node:path'
import { Llama } from '../../model/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { dpo } from '../../train/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind } from '../step.ts'
import { pairSchema, readLines } from './conversations.ts'
import { configureEngine, keepNewestCheckpoint, trainingResult, tuned } from './training.ts'

export type DpoConfig = Omit<NonNullable<Recipe['dpo']>, 'pairs'> & {
  seed: number
  engine: Recipe['engine']
  from: string
}

/** Moves the SFT model towards the preferred answers. */
export const dpoStep: StepKind<DpoConfig> = {
  kind: 'dpo',
  version: 1,
  resumes: true,
  async run(work) {
    const { from, engine, seed, epochs, batchSize, learningRate, warmup, beta } = work.config
    configureEngine(work.places, engine.precision)
    const folder = join(work.inputs[from], 'model')
    const tokenizer = await Tokenizer.load(folder)
    const model = tuned(await Llama.load(folder), work.config.lora, seed)
    const pairs = await readLines(join(work.inputs['dpo-data'], 'pairs.jsonl'), pairSchema)
    const state = join(work.folder, 'state')
    try {
      const result = await dpo({
        llama: model.llama,
        tokenizer,
        pairs,
        beta,
        optimizer: { kind: 'adamw', learningRate, weightDecay: 0 },
        epochs,
        batchSize,
        microBatchSize: work.config.microBatchSize,
        seed,
        warmupFraction: warmup,
        checkpoint: { dir: state, everySteps: work.config.checkpointEverySteps },
        metricsFile: join(work.folder, 'metrics.jsonl'),
        onProgress: work.onProgress,
        stop: work.stop,
      })
      await model.save(work.folder, tokenizer)
      await keepNewestCheckpoint(state)
      const summary = trainingResult(result)
      const { accuracy, margin, dropped } = result
      const metrics = {
        ...summary.metrics,
        ...(accuracy !== undefined && { accuracy }),
        ...(margin !== undefined && { margin }),
      }
      return { ...summary, counts: { ...summary.counts, pairs: pairs.length, dropped }, metrics }
    } finally {
      model.free()
    }
  },
}
