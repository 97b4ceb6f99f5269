import { z } from 'zod'
import type { Llama } from '../model/index.ts'
import { Random } from '../random/random.ts'
import {
  step as engineStep,
  inference,
  logSigmoid,
  mean,
  neg,
  reshape,
  scale,
  slice,
  sub,
  sum,
  type Tensor,
  tensor,
  tokenLogProbs,
} from '../tensor/index.ts'
import type { ChatMessage, Tokenizer } from '../tokenizer/index.ts'
import { encodeConversations, hashTexts, type MaskedText } from './conversation.ts'
import { chunks, EpochPlan } from './epochs.ts'
import { type Objective, type StepOutcome, type TrainOptions, type TrainResult, trainLoop } from './loop.ts'
import { batchOfRows } from './packing.ts'

/** The same prompt with a better and a worse answer. */
export interface Preference {
  messages: readonly ChatMessage[]
  chosen: string
  rejected: string
}

export interface DpoOptions extends TrainOptions {
  tokenizer: Tokenizer
  pairs: readonly Preference[]
  /** How strongly the model is held to the one it began as: 0.5 for SmolLM2, 0.1 is usual. */
  beta: number
  /** Pairs to an optimizer step. */
  batchSize: number
  /** Pairs computed at once; all of them when left out. Less memory, the same gradients. */
  microBatchSize?: number
  epochs: number
  seed: number
  /** Share of the steps over which the rate rises, before it falls along a cosine; 0.1 when left out. */
  warmupFraction?: number
  /** Pairs longer than this many tokens are left out; the model's positions when left out. */
  maxLength?: number
}

export interface DpoResult extends TrainResult {
  /** Of the last step: share of pairs whose chosen answer gained more, and the mean gap of the rewards. */
  accuracy: number | undefined
  margin: number | undefined
  /** Pairs that were left out as too long. */
  dropped: number
}

interface EncodedPair {
  chosen: MaskedText
  rejected: MaskedText
}

/** Summed log-probabilities of the two answers under the frozen model, by pair: chosen, rejected. */
type ReferenceLogProbs = [chosen: number, rejected: number][]

const dataSchema = z.strictObject({ reference: z.array(z.tuple([z.number(), z.number()])) })

/**
 * Direct preference optimization (Rafailov et al. 2023): -log sigmoid(beta * margin), where the margin is how much more
 * the log-probability of the chosen answer grew than that of the rejected one, against the model as it was given.
 * That model's log-probabilities are computed once, before the first step. Resumes as `pretrain` does.
 */
export async function dpo(options: DpoOptions): Promise<DpoResult> {
  const { llama, tokenizer, beta, batchSize, epochs, seed, warmupFraction = 0.1 } = options
  const { microBatchSize = batchSize } = options
  const longest = Math.min(options.maxLength ?? Number.POSITIVE_INFINITY, llama.config.maxPositionEmbeddings)
  const pairs = encodePairs(tokenizer, options.pairs, longest)
  const plan = new EpochPlan<number>(epochs, batchSize, (epoch) =>
    Random.derive(seed, `dpo/epoch-${epoch}`).shuffle([...pairs.keys()]),
  )
  let reference: ReferenceLogProbs | undefined
  let last: StepOutcome | undefined
  const objective: Objective = {
    kind: 'dpo',
    identity: {
      data: hashTexts(pairs.flatMap(({ chosen, rejected }) => [chosen, rejected])),
      beta,
      batchSize,
      microBatchSize,
      epochs,
      seed,
    },
    accumulate(step) {
      // Here and not before the loop: a resumed run has them in its checkpoint, and its weights have moved on.
      reference ??= referenceLogProbs(llama, pairs, microBatchSize)
      const items = plan.items(step)
      const known = reference
      const batches = chunks(items, microBatchSize).map((some) => ({
        pairs: some.map((index) => pairs[index]),
        reference: some.map((index) => known[index]),
      }))
      last = dpoStep(llama, batches, beta)
      return last
    },
    state: () => ({ reference: reference ?? [] }),
    restore(state) {
      const saved = dataSchema.parse(state).reference
      reference = saved.length === pairs.length ? saved : undefined
    },
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
    accuracy: last?.accuracy,
    margin: last?.margin,
    dropped: options.pairs.length - pairs.length,
  }
}

/**
 * The loss of some pairs as a scalar with gradient, and each pair's margin [pairs] in nats: (policy - reference) of
 * the chosen answer less that of the rejected one.
 */
export function dpoLoss(
  llama: Llama,
  pairs: readonly EncodedPair[],
  reference: ReferenceLogProbs,
  beta: number,
): { loss: Tensor; margins: Tensor } {
  const logProbs = answerLogProbs(llama, pairs)
  const chosen = slice(logProbs, 0, pairs.length)
  const rejected = slice(logProbs, pairs.length, 2 * pairs.length)
  const gaps = Float32Array.from(reference, ([chosenBefore, rejectedBefore]) => chosenBefore - rejectedBefore)
  const margins = sub(sub(chosen, rejected), tensor(gaps, [pairs.length]))
  return { loss: neg(mean(logSigmoid(scale(margins, beta)))), margins }
}

/** Forward and backward of the pairs of one optimizer step, in parts that each pair counts the same in. */
export function dpoStep(
  llama: Llama,
  batches: readonly { pairs: readonly EncodedPair[]; reference: ReferenceLogProbs }[],
  beta: number,
): StepOutcome {
  const total = batches.reduce((count, { pairs }) => count + pairs.length, 0)
  const margins: number[] = []
  let loss = 0
  for (const { pairs, reference } of batches) {
    loss += engineStep(() => {
      const outcome = dpoLoss(llama, pairs, reference, beta)
      const share = scale(outcome.loss, pairs.length / total)
      share.backward()
      margins.push(...outcome.margins.read())
      return share.item()
    })
  }
  const texts = batches.flatMap(({ pairs }) => pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]))
  return {
    loss,
    tokens: texts.reduce((sum, { ids }) => sum + ids.length, 0),
    accuracy: margins.filter((margin) => margin > 0).length / total,
    margin: (beta * margins.reduce((sum, margin) => sum + margin, 0)) / total,
  }
}

/** Summed log-probabilities of the answers, [2 * pairs]: first the chosen ones, then the rejected ones. */
function answerLogProbs(llama: Llama, pairs: readonly EncodedPair[]): Tensor {
  const texts = [...pairs.map(({ chosen }) => chosen), ...pairs.map(({ rejected }) => rejected)]
  const batch = batchOfRows(
    texts,
    texts.map((_, index) => [index]),
  )
  const { batchSize, sequenceLength, tokens, targets } = batch
  const size = batchSize * sequenceLength
  const hidden = llama.hidden(tensor(tokens, [batchSize, sequenceLength]))
  const rows = reshape(hidden, [size, llama.config.hiddenSize])
  // Positions without a target count 0.
  const logProbs = tokenLogProbs(rows, llama.headWeight, tensor(targets, [size]))
  return sum(reshape(logProbs, [batchSize, sequenceLength]), 1)
}

function referenceLogProbs(
  llama: Llama,
  pairs: readonly EncodedPair[],
  batchSize: number,
): ReferenceLogProbs {
  const reference: ReferenceLogProbs = []
  for (let at = 0; at < pairs.length; at += batchSize) {
    const some = pairs.slice(at, at + batchSize)
    const logProbs = inference(() => answerLogProbs(llama, some).read())
    for (let i = 0; i < some.length; i++) reference.push([logProbs[i], logProbs[some.length + i]])
  }
  return reference
}

/** Pairs as tokens, the last answer alone learned; those that are too long are left out. */
export function encodePairs(
  tokenizer: Tokenizer,
  pairs: readonly Preference[],
  longest: number,
): EncodedPair[] {
  const answered = (answer: 'chosen' | 'rejected') =>
    encodeConversations(
      tokenizer,
      pairs.map((pair) => [...pair.messages, { role: 'assistant' as const, content: pair[answer] }]),
    ).map(lastAnswer)
  const rejected = answered('rejected')
  return answered('chosen')
    .map((chosen, index) => ({ chosen, rejected: rejected[index] }))
    .filter((pair) => Math.max(pair.chosen.ids.length, pair.rejected.ids.length) <= longest)
}

/** Earlier answers belong to the prompt. */
function lastAnswer({ ids, learned }: MaskedText): MaskedText {
  const end = learned.lastIndexOf(1)
  const start = learned.lastIndexOf(0, end) + 1
  return { ids, learned: new Uint8Array(ids.length).fill(1, start, end + 1) }
}
