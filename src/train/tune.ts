import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'
import { publishFolder, writeFileAtomic } from '../files/atomic.ts'
import {
  LanguageModel,
  type Llama,
  LoraAdapter,
  type LoraInput,
  mergeAdapter,
  modelHash,
  saveAdapter,
} from '../model/index.ts'
import { Sampler, type ShardSet, writeShards } from '../shards/index.ts'
import type { ChatMessage, Tokenizer } from '../tokenizer/index.ts'
import { dpo, type Preference } from './dpo.ts'
import { chunks } from './epochs.ts'
import type { TrainOptions, TrainResult } from './loop.ts'
import { pretrain } from './pretrain.ts'
import { sft } from './sft.ts'

/** What a loaded model learns from. */
export type TuneData =
  | { kind: 'pretrain'; texts: readonly string[] }
  | { kind: 'sft'; conversations: readonly (readonly ChatMessage[])[] }
  | { kind: 'dpo'; pairs: readonly Preference[]; beta: number }

export interface TuneOptions
  extends Pick<TrainOptions, 'recomputeActivations' | 'onMetrics' | 'onProgress' | 'onWarning' | 'stop'> {
  /** A model folder: configuration, weights, tokenizer. */
  model: string
  /** The folder of the tuned model. It must not exist; it appears whole. */
  output: string
  data: TuneData
  /** Low-rank adapters in place of the weights; the output is merged, with the adapter beside it. */
  lora?: LoraInput
  optimizer: TrainOptions['optimizer']
  /** Rows, or pairs, to an optimizer step, and computed at once. */
  batchSize: number
  microBatchSize?: number
  epochs: number
  /** Tokens of a row; the model's positions when left out. */
  sequenceLength?: number
  /** Share of the steps over which the rate rises. */
  warmupFraction: number
  checkpointEverySteps: number
  seed: number
}

/**
 * Trains a model that was loaded from a folder further, all weights or adapters, and writes a model folder: schedule
 * and moments begin anew. Its work is in `.NAME.partial` beside the output until it is whole; the same call goes on
 * from there after a crash.
 *
 * @throws SmolforgeError `usage` when the output exists, `input` for what does not fit the model, `interrupted`.
 */
export async function tune(options: TuneOptions): Promise<TrainResult> {
  const { output, seed } = options
  if (existsSync(output)) {
    throw new SmolforgeError('usage', 'The folder for the model exists already', {
      place: { file: output },
      hint: 'Name another --output, or remove it.',
    })
  }
  const { llama: base, tokenizer } = await LanguageModel.load(options.model)
  const partial = join(dirname(output), `.${basename(output)}.partial`)
  const adapter = options.lora && LoraAdapter.create(base.config, options.lora, seed)
  try {
    checkOptions(options, base)
    await mkdir(partial, { recursive: true })
    await checkSameWork(partial, options, base)
    const llama = adapter ? base.withAdapter(adapter) : base
    const result = await train(new LanguageModel(llama, tokenizer), options, partial)
    if (adapter) {
      await saveAdapter(join(partial, 'adapter'), adapter, options.model)
      mergeAdapter(base, adapter)
    }
    await base.save(partial, tokenizer)
    for (const work of [STATE, SHARDS, WORK]) await rm(join(partial, work), { recursive: true, force: true })
    await publishFolder(partial, output)
    return result
  } catch (error) {
    throw fileError(error, output)
  } finally {
    base.free()
    adapter?.free()
  }
}

const STATE = 'state'
const SHARDS = 'shards'
const WORK = 'work.json'

async function train(
  { llama, tokenizer }: LanguageModel,
  options: TuneOptions,
  partial: string,
): Promise<TrainResult> {
  const { data, batchSize, microBatchSize, epochs, seed, warmupFraction, sequenceLength } = options
  const { optimizer, recomputeActivations, onMetrics, onProgress, onWarning, stop } = options
  const common = {
    llama,
    optimizer,
    checkpoint: { dir: join(partial, STATE), everySteps: options.checkpointEverySteps },
    metricsFile: join(partial, 'metrics.jsonl'),
    recomputeActivations,
    ...{ onMetrics, onProgress, onWarning, stop },
  }
  const rows = { tokenizer, batchSize, microBatchSize, epochs, seed, warmupFraction }
  switch (data.kind) {
    case 'sft':
      return sft({ ...common, ...rows, conversations: data.conversations, sequenceLength })
    case 'dpo':
      return dpo({ ...common, ...rows, pairs: data.pairs, beta: data.beta, maxLength: sequenceLength })
    case 'pretrain': {
      const { maxPositionEmbeddings } = llama.config
      const length = sequenceLength ?? maxPositionEmbeddings
      const micro = microBatchSize ?? batchSize
      const set = await shards(tokenizer, data.texts, join(partial, SHARDS))
      try {
        const totalSteps = Math.max(1, Math.floor((epochs * set.tokens) / (batchSize * length)))
        return await pretrain({
          ...common,
          sampler: new Sampler({
            sets: { text: set },
            weights: { text: 1 },
            batchSize: micro,
            sequenceLength: length,
            seed,
          }),
          schedule: {
            kind: 'cosine',
            warmupSteps: Math.round(warmupFraction * totalSteps),
            finalFraction: 0,
          },
          totalSteps,
          gradientAccumulation: batchSize / micro,
        })
      } finally {
        set.close()
      }
    }
  }
}

/** The texts as tokens on disk; made anew at every start, so that they are those of this call. */
async function shards(tokenizer: Tokenizer, texts: readonly string[], dir: string): Promise<ShardSet> {
  async function* encoded() {
    for (const [group, some] of chunks(texts, TEXTS_AT_ONCE).entries()) {
      const ids = tokenizer.encodeBatch(some)
      yield ids.map((tokens, i) => ({ id: `${group * TEXTS_AT_ONCE + i}`, tokens }))
    }
  }
  const { vocabSize, endOfTextId } = tokenizer
  await rm(dir, { recursive: true, force: true })
  return writeShards(dir, encoded(), { domain: 'text', vocabSize, endOfTextId })
}

const TEXTS_AT_ONCE = 256

function checkOptions({ sequenceLength, batchSize, microBatchSize, data }: TuneOptions, llama: Llama): void {
  const { maxPositionEmbeddings } = llama.config
  if (sequenceLength !== undefined && sequenceLength > maxPositionEmbeddings) {
    throw new SmolforgeError(
      'usage',
      `A sequence of ${sequenceLength} tokens is longer than the model's ${maxPositionEmbeddings} positions`,
    )
  }
  // Pretraining takes whole batches from its sampler.
  if (data.kind === 'pretrain' && batchSize % (microBatchSize ?? batchSize) !== 0) {
    throw new SmolforgeError('usage', `A micro-batch of ${microBatchSize} does not divide ${batchSize} rows`)
  }
}

/** Work that was begun is only gone on with from the same weights, adapters and data. */
async function checkSameWork(folder: string, options: TuneOptions, base: Llama): Promise<void> {
  const file = join(folder, WORK)
  const hash = createHash('sha256').update(JSON.stringify(options.data)).digest('hex')
  const now = JSON.stringify({ base: await modelHash(base), lora: options.lora ?? null, data: hash })
  const before = await readFile(file, 'utf8').catch(() => undefined)
  if (before === undefined) return writeFileAtomic(file, now)
  if (before === now) return
  throw new SmolforgeError('input', 'This work was begun from another model, other adapters or other data', {
    place: { file: folder },
    hint: 'Give what it was begun with, or remove the folder to begin again.',
  })
}
