import { Random } from '../random/random.ts'
import type { ChatMessage, Tokenizer } from '../tokenizer/index.ts'
import { encodeConversations, hashTexts, type MaskedText } from './conversation.ts'
import { chunks, EpochPlan } from './epochs.ts'
import { type Objective, type TrainOptions, type TrainResult, trainLoop } from './loop.ts'
import { batchOfRows, type PackedRow, packRows } from './packing.ts'
import { accumulateLoss } from './pretrain.ts'

export interface SftOptions extends TrainOptions {
  tokenizer: Tokenizer
  conversations: readonly (readonly ChatMessage[])[]
  /** Tokens in a packed row; the model's positions when left out. Longer conversations lose their end. */
  sequenceLength?: number
  /** Rows to an optimizer step. */
  batchSize: number
  /** Rows computed at once; all of them when left out. Less memory, the same gradients. */
  microBatchSize?: number
  epochs: number
  seed: number
  /** Share of the steps over which the rate rises, before it falls along a cosine; 0.05 when left out. */
  warmupFraction?: number
}

export interface SftResult extends TrainResult {
  /** Conversations that were cut at the row's length, and those with no answer left to learn from. */
  truncated: number
  dropped: number
}

/**
 * Supervised fine-tuning as SmolLM2 does it: ChatML, loss on the assistant's answers alone, conversations packed into
 * rows without seeing each other, cosine schedule. Resumes as `pretrain` does.
 */
export async function sft(options: SftOptions): Promise<SftResult> {
  const { llama, tokenizer, conversations, batchSize, epochs, seed, warmupFraction = 0.05 } = options
  const { microBatchSize = batchSize } = options
  const capacity = Math.min(
    options.sequenceLength ?? llama.config.maxPositionEmbeddings,
    llama.config.maxPositionEmbeddings,
  )
  const encoded = encodeConversations(tokenizer, conversations)
  const texts = encoded.map((text) => cut(text, capacity)).filter(({ learned }) => learned.includes(1, 1))
  const lengths = texts.map(({ ids }) => ids.length)
  const plan = new EpochPlan<PackedRow>(epochs, batchSize, (epoch) => {
    const random = Random.derive(seed, `sft/epoch-${epoch}`)
    return packRows(lengths, random.shuffle([...texts.keys()]), capacity)
  })
  const objective: Objective = {
    kind: 'sft',
    identity: { data: hashTexts(texts), batchSize, microBatchSize, epochs, seed, capacity },
    accumulate(step) {
      const batches = chunks(plan.items(step), microBatchSize).map((rows) => batchOfRows(texts, rows))
      return accumulateLoss(batches, (batch) => llama.loss(batch).loss)
    },
    // The step number is the position.
    state: () => null,
    restore: () => {},
  }
  const { totalSteps } = plan
  const warmupSteps = Math.round(warmupFraction * totalSteps)
  const schedule = { kind: 'cosine', warmupSteps, finalFraction: 0 } as const
  const result = await trainLoop(
    objective,
    { schedule, totalSteps, fromStep: 0, toStep: totalSteps },
    options,
  )
  return {
    ...result,
    truncated: encoded.filter(({ ids }) => ids.length > capacity).length,
    dropped: encoded.length - texts.length,
  }
}

function cut({ ids, learned }: MaskedText, capacity: number): MaskedText {
  return { ids: ids.subarray(0, capacity), learned: learned.subarray(0, capacity) }
}
