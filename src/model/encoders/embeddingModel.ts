import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'
import { inference, type Tensor, tensor } from '../../tensor/index.ts'
import { type EncoderTokenizer, loadEncoderTokenizer, Tokenizer } from '../../tokenizer/index.ts'
import { modelHash } from '../checkpoints/hash.ts'
import { readJson } from '../checkpoints/json.ts'
import { Llama } from '../llama.ts'
import { Bert } from './bert.ts'

export const poolings = ['mean', 'cls', 'last'] as const
export type Pooling = (typeof poolings)[number]

export interface EncoderOptions {
  /**
   * What of the last hidden states becomes the embedding: the mean over the text, or the state of its first (`cls`) or last
   * token. What `1_Pooling/config.json` says when left out, else the mean.
   */
  pooling?: Pooling
  /** Tokens of a text that are looked at, from its start; 512 or the model's positions when left out. */
  maxTokens?: number
}

/** Which model embeds, and how. */
export interface EncoderReference {
  path: string
  /** Of the weights. */
  sha256: string
  pooling: Pooling
  maxTokens: number
  /** Numbers in an embedding. */
  width: number
}

/**
 * Texts to vectors of length 1, by a Llama (a folder or a GGUF file) or by a BERT or RoBERTa (a folder). Same texts, same
 * vectors, whatever else is in the batch but for the last bits.
 */
export class EmbeddingModel {
  readonly reference: EncoderReference
  readonly #tokenizer: EncoderTokenizer
  readonly #hidden: (ids: Tensor, segments: Tensor) => Tensor

  constructor(
    reference: EncoderReference,
    tokenizer: EncoderTokenizer,
    hidden: (ids: Tensor, segments: Tensor) => Tensor,
  ) {
    this.reference = reference
    this.#tokenizer = tokenizer
    this.#hidden = hidden
  }

  /** @throws SmolforgeError `input` or `damaged` naming the file, and the field, tensor or byte. */
  static async open(path: string, options: EncoderOptions = {}): Promise<EmbeddingModel> {
    const pooling = options.pooling ?? (await configuredPooling(path)) ?? 'mean'
    const sha256 = await modelHash(path)
    const limit = (positions: number) => Math.min(positions, options.maxTokens ?? USUAL_TOKENS)
    if (await isBertFolder(path)) {
      const bert = await Bert.load(path)
      const { hiddenSize: width, vocabSize } = bert.config
      const tokenizer = fitting(await loadEncoderTokenizer(path), vocabSize, path)
      const reference = { path, sha256, pooling, maxTokens: limit(bert.maxTokens), width }
      return new EmbeddingModel(reference, tokenizer, (ids, segments) => bert.hidden(ids, segments))
    }
    const llama = await Llama.open(path)
    const { hiddenSize: width, vocabSize, maxPositionEmbeddings } = llama.config
    const tokenizer = fitting(causalTokenizer(await Tokenizer.load(path)), vocabSize, path)
    const reference = { path, sha256, pooling, maxTokens: limit(maxPositionEmbeddings), width }
    // Later tokens change nothing before them: padding behind a text needs no mask.
    return new EmbeddingModel(reference, tokenizer, (ids) => llama.hidden(ids))
  }

  /** Rows of `reference.width` numbers, one for each text. */
  embed(texts: readonly string[]): Float32Array {
    const { maxTokens, width } = this.reference
    const encoded = texts.map((text) => this.#tokenizer.encode(text, maxTokens))
    const result = new Float32Array(texts.length * width)
    const order = encoded.map((_, i) => i).sort((a, b) => encoded[a].length - encoded[b].length || a - b)
    let from = 0
    for (let to = 1; to <= order.length; to++) {
      // Sorted by length: the next text would be the longest of the batch.
      const next = to < order.length ? encoded[order[to]].length : 0
      if (to < order.length && (to + 1 - from) * next <= BATCH_TOKENS) continue
      const batch = order.slice(from, to)
      this.#embedBatch(
        batch.map((i) => encoded[i]),
        (row, vector) => result.set(vector, batch[row] * width),
      )
      from = to
    }
    return result
  }

  #embedBatch(rows: readonly Uint32Array[], put: (row: number, vector: Float32Array) => void): void {
    const { width, pooling } = this.reference
    const time = Math.max(1, ...rows.map((ids) => ids.length))
    const ids = new Int32Array(rows.length * time)
    const segments = new Int32Array(rows.length * time).fill(1)
    for (const [row, each] of rows.entries()) {
      ids.set(each, row * time)
      segments.fill(0, row * time, row * time + each.length)
    }
    const shape = [rows.length, time]
    const hidden = inference(() => this.#hidden(tensor(ids, shape), tensor(segments, shape)).read())
    for (const [row, { length }] of rows.entries()) {
      const from = pooling === 'last' ? Math.max(0, length - 1) : 0
      const to = pooling === 'cls' ? 1 : Math.max(1, length)
      put(row, unitMean(hidden as Float32Array, width, row * time + from, row * time + to))
    }
  }
}

const USUAL_TOKENS = 512
/** Tokens of a batch, padding included. */
const BATCH_TOKENS = 4096

/** The mean of some rows, scaled to length 1. */
function unitMean(rows: Float32Array, width: number, from: number, to: number): Float32Array {
  const sum = new Float64Array(width)
  for (let row = from; row < to; row++) {
    for (let i = 0; i < width; i++) sum[i] += rows[row * width + i]
  }
  const length = Math.hypot(...sum) || 1
  return Float32Array.from(sum, (value) => value / length)
}

/** A Llama reads the text with what its tokenizer puts around one; a text without a token gets the one that ends texts. */
function causalTokenizer(tokenizer: Tokenizer): EncoderTokenizer {
  return {
    vocabSize: tokenizer.vocabSize,
    encode(text, maxTokens) {
      const ids = tokenizer
        .encode(text.slice(0, 64 * maxTokens), { addSpecialTokens: true })
        .subarray(0, maxTokens)
      return ids.length > 0 ? ids : Uint32Array.of(tokenizer.endOfTextId)
    },
  }
}

function fitting(tokenizer: EncoderTokenizer, vocabSize: number, path: string): EncoderTokenizer {
  if (tokenizer.vocabSize <= vocabSize) return tokenizer
  throw new SmolforgeError(
    'input',
    `The tokenizer has ${tokenizer.vocabSize} tokens, the model knows ${vocabSize}`,
    { place: { file: path }, hint: 'Use the tokenizer that the model was trained with.' },
  )
}

async function isBertFolder(path: string): Promise<boolean> {
  const file = join(path, 'config.json')
  if (!(await exists(file))) return false
  const config = z.looseObject({ model_type: z.string() }).safeParse(await readJson(file))
  return config.success && config.data.model_type !== 'llama'
}

/** What sentence-transformers keeps beside a model. */
async function configuredPooling(path: string): Promise<Pooling | undefined> {
  const file = join(path, '1_Pooling/config.json')
  if (!(await exists(file))) return undefined
  const parsed = poolingSchema.safeParse(await readJson(file))
  if (!parsed.success) return undefined
  if (parsed.data.pooling_mode_cls_token) return 'cls'
  return parsed.data.pooling_mode_lasttoken ? 'last' : 'mean'
}

const poolingSchema = z.looseObject({
  pooling_mode_cls_token: z.boolean().default(false),
  pooling_mode_lasttoken: z.boolean().default(false),
})

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
