import { z } from 'zod'
import { loraSchema } from '../model/index.ts'

const positive = z.int().positive()

const tuning = {
  epochs: z.number().positive().describe('How often all examples are seen.'),
  learningRate: z.number().positive().describe('Peak rate.'),
  batchSize: positive.describe('Examples in one step of the optimizer.'),
  microBatchSize: positive
    .optional()
    .describe('Examples computed at once, to save memory; all if not given.'),
  lora: loraSchema
    .optional()
    .describe(
      'Train low-rank adapters (Hu et al. 2021) in place of the weights; they are merged at the end.',
    ),
  warmup: z.number().min(0).max(1).describe('Share of the steps over which the rate rises.'),
  checkpointEverySteps: positive.default(100).describe('Steps between checkpoints.'),
}

export const sftSchema = z
  .strictObject({
    examples: positive.default(4000).describe('Conversations made from the corpus.'),
    ...tuning,
    epochs: tuning.epochs.default(2),
    learningRate: tuning.learningRate.default(1e-3),
    batchSize: tuning.batchSize.default(8),
    warmup: tuning.warmup.default(0.05),
    sequenceLength: z
      .int()
      .min(8)
      .optional()
      .describe('Tokens in a packed row; as in pretraining if not given.'),
  })
  .describe('Supervised fine-tuning on conversations, loss only on the answers.')

export const dpoSchema = z
  .strictObject({
    pairs: positive.default(500).describe('Preference pairs made from the corpus.'),
    ...tuning,
    epochs: tuning.epochs.default(1),
    learningRate: tuning.learningRate.default(1e-5),
    batchSize: tuning.batchSize.default(8),
    warmup: tuning.warmup.default(0.1),
    beta: z.number().positive().default(0.1).describe('How strongly the model is held to the one before.'),
  })
  .describe('Direct preference optimization on generated pairs.')

export const evaluationSchema = z
  .strictObject({
    definitions: z
      .int()
      .min(0)
      .default(200)
      .describe('Items of word to gloss, 4 choices, from held-out entries.'),
    arithmetic: z.int().min(0).default(50).describe('Held-out worked problems, answer generated.'),
    passages: z.int().min(0).default(100).describe('Items of passage to its continuation, 4 choices.'),
    heldOutBytes: positive
      .default(200_000)
      .describe('At most so many held-out bytes of each domain are scored.'),
    stageItems: z.int().min(0).default(60).describe('At most so many items of each task between stages.'),
    samplePrompts: z
      .array(z.string())
      .default([
        'The President of the United States',
        'The sea was',
        'function add(a, b) {',
        'Problem: What is 12 + 7?\nSolution:',
      ])
      .describe('Prompts whose continuations are shown for every model.'),
    chatPrompts: z
      .array(z.string())
      .default(['Hello! Who are you?', 'What does "river" mean?', 'What is 3 + 4?'])
      .describe('Questions whose answers are shown for the chat models.'),
    sampleTokens: positive.default(48).describe('Tokens of each sample.'),
    sampleTemperature: z
      .number()
      .min(0)
      .max(2)
      .default(0.6)
      .describe('Temperature of the samples; 0 is greedy, where small models repeat themselves.'),
    baselines: z
      .strictObject({
        order: z.int().min(1).max(8).default(5).describe('Order of the Kneser-Ney n-gram model.'),
        trainingTokens: positive.default(24_000_000).describe('At most so many training tokens for it.'),
        prefixBytes: positive
          .default(8 * 1024 * 1024)
          .describe("Bytes of a domain's training text that the compressors know."),
      })
      .prefault({})
      .describe('Models without weights, scored on the same held-out bytes.'),
  })
  .describe('What the models are measured on.')
