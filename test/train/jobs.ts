import { join } from 'node:path'
import { type Llama, LoraAdapter, modelHash } from '../../src/model/index.ts'
import { dpo, pretrain, sft, type TrainOptions } from '../../src/train/index.ts'
import { tinyLlama, tinyTokenizer } from '../model/tiny.ts'
import { PatternSource } from './source.ts'

export const kinds = ['pretrain', 'sft', 'dpo', 'lora'] as const
export type Kind = (typeof kinds)[number]
export const STEPS: Record<Kind, number> = { pretrain: 24, sft: 18, dpo: 24, lora: 18 }

/** A training of each kind, small enough for seconds, with everything that a checkpoint must carry in use. */
export async function runJob(kind: Kind, dir: string, options: Partial<TrainOptions> = {}) {
  const base = tinyLlama()
  const llama = kind === 'lora' ? base.withAdapter(LoraAdapter.create(base.config, { rank: 4 }, 1)) : base
  const common = {
    llama,
    checkpoint: { dir: join(dir, 'state'), everySteps: 3 },
    metricsFile: join(dir, 'metrics.jsonl'),
    ...options,
  }
  const result = await run(kind, llama, common)
  const hash = await modelHash({ parameters: llama.trainable })
  return { llama, hash, result }
}

async function run(kind: Kind, llama: Llama, common: Omit<TrainOptions, 'optimizer'>) {
  if (kind === 'pretrain') {
    return pretrain({
      ...common,
      sampler: new PatternSource(3),
      optimizer: { kind: 'muon', learningRate: 0.01 },
      schedule: { kind: 'wsd', warmupSteps: 4, decayFraction: 0.25 },
      totalSteps: STEPS.pretrain,
      gradientAccumulation: 2,
    })
  }
  const tokenizer = (await tinyTokenizer()).forChat()
  const shared = {
    ...common,
    tokenizer,
    llama,
    seed: 7,
    optimizer: { kind: 'adamw', learningRate: 3e-3, state: kind === 'lora' ? '8bit' : 'f32' } as const,
  }
  const user = (content: string) => ({ role: 'user' as const, content })
  if (kind === 'sft' || kind === 'lora') {
    const conversations = Array.from({ length: 30 }, (_, i) => [
      user(`What is ${i}?`),
      { role: 'assistant' as const, content: i % 2 === 0 ? 'the sea' : 'a river' },
    ])
    return sft({ ...shared, conversations, sequenceLength: 64, batchSize: 2, epochs: 2.25 })
  }
  const pairs = Array.from({ length: 24 }, (_, i) => ({
    messages: [user(`What is ${i}?`)],
    chosen: 'water',
    rejected: 'the wet river',
  }))
  return dpo({ ...shared, pairs, beta: 0.3, batchSize: 3, epochs: 3 })
}

// Run as a program: a child process that a test kills. It prints each step, and the hash at the end.
if (process.argv[1]?.endsWith('jobs.ts')) {
  const [kind, dir] = process.argv.slice(2) as [Kind, string]
  const { hash, result } = await runJob(kind, dir, {
    onMetrics: ({ step }) => process.stdout.write(`step ${step}\n`),
  })
  process.stdout.write(`hash ${hash} resumed ${result.resumedFrom} steps ${result.step}\n`)
}
