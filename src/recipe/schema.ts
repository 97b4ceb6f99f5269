import { z } from 'zod'
import { sourceSchema } from '../corpus/index.ts'
import { packings } from '../shards/index.ts'
import { curateSchema } from './schemaCurate.ts'
import { dpoSchema, evaluationSchema, sftSchema } from './schemaPost.ts'
import { tokenCount } from './tokenCount.ts'

const positive = z.int().positive()
const share = z.number().min(0).max(1)
const weights = z
  .record(z.string(), z.number().min(0))
  .describe('Weight of each domain; they are scaled to sum to 1.')

const engineSchema = z
  .strictObject({
    threads: z.int().min(0).default(0).describe('Threads of the kernels; 0 takes all that the machine has.'),
    precision: z
      .enum(['f32', 'bf16'])
      .default('f32')
      .describe('Inputs of matrix products; weights, moments and sums are always f32.'),
  })
  .describe('How the numbers are computed.')

const tokenizerSchema = z
  .strictObject({
    vocabSize: z.int().min(300).default(8192).describe('Size of the vocabulary, special tokens included.'),
    sampleBytes: positive
      .default(40_000_000)
      .describe('Bytes of training text the merges are counted on, taken evenly from the domains.'),
  })
  .describe("Byte-level BPE with SmolLM2's pre-tokenizer and special tokens.")

const modelSchema = z
  .strictObject({
    hiddenSize: positive.describe('Width of the residual stream.'),
    numHiddenLayers: positive.describe('Blocks of attention and feed-forward.'),
    numAttentionHeads: positive.describe('Query heads; they divide hiddenSize into an even head size.'),
    numKeyValueHeads: positive.describe('Key and value heads; they divide numAttentionHeads.'),
    intermediateSize: positive.describe('Width of the SwiGLU feed-forward.'),
    maxPositionEmbeddings: positive
      .optional()
      .describe('Longest context; the training sequence if not given.'),
    rmsNormEps: z.number().positive().default(1e-5).describe('Added under the root of RMSNorm.'),
    ropeTheta: z.number().positive().default(10_000).describe('Base of the rotary position angles.'),
    tieWordEmbeddings: z
      .boolean()
      .default(true)
      .describe('One matrix for the embedding and the output head.'),
    initializerRange: z
      .number()
      .positive()
      .default(0.02)
      .describe('Standard deviation of the first weights.'),
  })
  .describe('A Llama, in the names of its Hugging Face config.')

const scheduleSchema = z
  .strictObject({
    warmupSteps: z.int().min(0).default(50).describe('Steps over which the rate rises from 0.'),
    decay: share.default(0.2).describe('Share of all steps, at the end, over which the rate falls to 0.'),
  })
  .describe('Warm-up, stable, decay: one schedule over all stages.')

const trainingSchema = z
  .strictObject({
    optimizer: z
      .enum(['adamw', 'muon'])
      .default('muon')
      .describe('muon: hidden matrices by Muon, the rest AdamW.'),
    learningRate: z.number().positive().default(3e-3).describe('Peak rate of AdamW.'),
    muonLearningRate: z
      .number()
      .positive()
      .default(0.02)
      .describe('Peak rate of the matrices that Muon moves.'),
    muonMomentum: z.number().min(0).lt(1).default(0.95).describe('Momentum of Muon (Nesterov).'),
    optimizerState: z
      .enum(['f32', '8bit'])
      .optional()
      .describe("What AdamW's moments are kept in, f32 if not given; 8bit takes a quarter of their memory."),
    recomputeActivations: z
      .boolean()
      .optional()
      .describe('Compute activations again in backward, to save memory with long sequences.'),
    betas: z
      .tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)])
      .default([0.9, 0.95])
      .describe('AdamW betas.'),
    epsilon: z.number().positive().default(1e-8).describe('AdamW epsilon.'),
    weightDecay: z.number().min(0).default(0.01).describe('Decoupled weight decay.'),
    gradientClip: z.number().positive().default(1).describe('Largest norm of the gradient.'),
    batchSize: positive.default(8).describe('Sequences in one step of the optimizer.'),
    microBatchSize: positive.optional().describe('Sequences computed at once; they divide batchSize.'),
    sequenceLength: z.int().min(8).default(256).describe('Tokens in one sequence.'),
    packing: z
      .enum(packings)
      .default('concatenate')
      .describe(
        'How documents fill sequences: end to end, or by best fit, which cuts only those longer than a sequence and pads.',
      ),
    schedule: scheduleSchema.prefault({}),
    checkpointEverySteps: positive.default(200).describe('Steps between checkpoints inside a stage.'),
    checkpointEverySeconds: z
      .number()
      .positive()
      .default(60)
      .describe('Seconds between checkpoints, if sooner.'),
    heldOutEverySteps: z
      .int()
      .min(0)
      .default(0)
      .describe('Steps between looks at held-out text; 0: eight a stage.'),
    heldOutBytes: positive.default(65_536).describe('Held-out bytes of each domain at these looks.'),
    maxEpochs: z
      .number()
      .positive()
      .default(5)
      .describe('How often the text of a domain may be seen in all stages.'),
    epochCaps: z
      .record(z.string(), z.number().positive())
      .default({})
      .describe('The same for single domains.'),
  })
  .describe('Pretraining, all stages alike.')

const stageSchema = z
  .strictObject({
    name: z.string().optional().describe('A word for the report: foundation, balance, anneal.'),
    tokens: tokenCount.describe('Tokens trained in this stage: 2000000, 500k, 2M.'),
    mixture: z
      .union([z.literal('refine'), weights], { error: 'write refine, or a weight for each domain' })
      .describe('Weights by domain, or `refine`: proposed from the evaluation of the stage before.'),
    reason: z.string().optional().describe('Why these weights: it goes into the ledger.'),
  })
  .describe('One stage of pretraining.')

const refineSchema = z
  .strictObject({
    maxChange: share.default(0.15).describe('Most that the weight of one domain may move at once.'),
    minWeight: share.default(0.02).describe('Least weight of a domain that has a weight at all.'),
    saved: z.array(z.string()).default([]).describe('Domains of high quality that are saved for the decay.'),
  })
  .describe('Bounds of the mixture proposals.')

const ablationSchema = z
  .strictObject({
    candidate: z.string().describe('The domain put to the test.'),
    share: z.number().gt(0).lte(1).default(0.4).describe('Its share of the mixture in the arm that has it.'),
    tokens: tokenCount.describe('Tokens of each arm, with the rate falling to 0.'),
    seeds: positive.default(1).describe('Runs of each arm.'),
    adopt: z
      .boolean()
      .default(false)
      .describe('Give the candidate this share in the last stage if it is significantly better.'),
    items: z.int().min(0).default(60).describe('At most so many items of each task for each arm.'),
  })
  .describe('An annealing ablation: the same checkpoint decayed with and without the candidate.')

export const recipeSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][\w.-]*$/, 'a name has letters, digits, dots, hyphens and underscores')
      .describe('Name of the run and of its folder under runs/.'),
    description: z.string().optional().describe('What this recipe is for.'),
    seed: z.int().min(0).default(1).describe('All randomness is derived from it.'),
    engine: engineSchema.prefault({}),
    sources: z.array(sourceSchema).min(1).describe('Where the text comes from.'),
    curate: curateSchema.prefault({}),
    tokenizer: tokenizerSchema.prefault({}),
    baseModel: z
      .string()
      .min(1)
      .optional()
      .describe(
        'A model folder or GGUF file to begin from, with its tokenizer, in place of `model` and `tokenizer`.',
      ),
    model: modelSchema.optional(),
    training: trainingSchema.prefault({}),
    stages: z.array(stageSchema).min(1).describe('Stages of pretraining under one schedule.'),
    refine: refineSchema.prefault({}),
    ablation: ablationSchema.optional(),
    sft: sftSchema.optional(),
    dpo: dpoSchema.optional(),
    evaluation: evaluationSchema.prefault({}),
  })
  .describe('A smolforge recipe: from sources to a chat model.')

/** A whole recipe with every default filled in. */
export type Recipe = z.infer<typeof recipeSchema>

/** What a person writes: everything that has a default may be left out. */
export type RecipeInput = z.input<typeof recipeSchema>
