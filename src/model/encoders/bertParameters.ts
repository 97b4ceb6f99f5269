import { SmolforgeError } from '../../errors.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import type { Weights } from '../checkpoints/weights.ts'
import type { BertConfig } from './bertConfig.ts'

/** A weight and its bias: [out, in] and [out] of a linear layer, [hidden] both of a norm. */
export type Biased = [Tensor, Tensor]

export interface BertLayer {
  /** The three side by side: [3 * hidden, hidden] and [3 * hidden]. */
  queriesKeysValues: Biased
  output: Biased
  outputNorm: Biased
  up: Biased
  down: Biased
  downNorm: Biased
}

export interface BertParameters {
  words: Tensor
  /** With the embedding of the first token type added. */
  positions: Tensor
  normWeight: Tensor
  normBias: Tensor
  layers: BertLayer[]
}

/**
 * Reads what an encoder needs of the weights of a BERT or RoBERTa, alone or under a head.
 *
 * @throws SmolforgeError `input` naming the file and a tensor that is missing or of another shape.
 */
export async function readBertParameters(weights: Weights, config: BertConfig): Promise<BertParameters> {
  const { hiddenSize: hidden } = config
  const reader = new Reader(weights)
  const layers: BertLayer[] = []
  for (let i = 0; i < config.layers; i++) layers.push(await readLayer(reader, i, config))
  const positions = await reader.floats('embeddings.position_embeddings.weight', [config.positions, hidden])
  const types = reader.rows('embeddings.token_type_embeddings.weight')
  const type = await reader.floats('embeddings.token_type_embeddings.weight', [types, hidden])
  const words = await reader.floats('embeddings.word_embeddings.weight', [config.vocabSize, hidden])
  const [normWeight, normBias] = await reader.biased('embeddings.LayerNorm', [hidden])
  return {
    words: tensor(words, [config.vocabSize, hidden]),
    positions: tensor(
      positions.map((value, i) => value + type[i % hidden]),
      [config.positions, hidden],
    ),
    normWeight,
    normBias,
    layers,
  }
}

async function readLayer(reader: Reader, index: number, config: BertConfig): Promise<BertLayer> {
  const { hiddenSize: hidden, intermediateSize: wide } = config
  const at = (name: string) => `encoder.layer.${index}.${name}`
  const attention = ['query', 'key', 'value'].map((name) => at(`attention.self.${name}`))
  return {
    queriesKeysValues: await reader.joined(attention, [hidden, hidden]),
    output: await reader.biased(at('attention.output.dense'), [hidden, hidden]),
    outputNorm: await reader.biased(at('attention.output.LayerNorm'), [hidden]),
    up: await reader.biased(at('intermediate.dense'), [wide, hidden]),
    down: await reader.biased(at('output.dense'), [hidden, wide]),
    downNorm: await reader.biased(at('output.LayerNorm'), [hidden]),
  }
}

/** Tensors by their names in an encoder, whatever stands before them in the file. */
class Reader {
  readonly #weights: Weights
  readonly #names: ReadonlySet<string>
  readonly #prefix: string

  constructor(weights: Weights) {
    this.#weights = weights
    this.#names = new Set(weights.names)
    const prefixes = ['', 'bert.', 'roberta.']
    this.#prefix = prefixes.find((one) => this.#names.has(`${one}embeddings.word_embeddings.weight`)) ?? ''
  }

  rows(name: string): number {
    return this.#weights.entry(this.#stored(name)).shape[0]
  }

  /** The numbers of a tensor, which must be of this shape. */
  async floats(name: string, shape: readonly number[]): Promise<Float32Array> {
    const stored = this.#stored(name)
    const entry = this.#weights.entry(stored)
    if (`${entry.shape}` === `${shape}`) return this.#weights.read(stored)
    throw new SmolforgeError(
      'input',
      `The tensor ${stored} is [${entry.shape}], the configuration means [${shape}]`,
      { place: { file: entry.path } },
    )
  }

  async biased(name: string, shape: readonly number[]): Promise<Biased> {
    return [
      tensor(await this.floats(`${name}.weight`, shape), shape),
      tensor(await this.floats(`${name}.bias`, [shape[0]]), [shape[0]]),
    ]
  }

  /** Linear layers of one shape, one below the other. */
  async joined(names: readonly string[], [rows, columns]: readonly [number, number]): Promise<Biased> {
    const weights: Float32Array[] = []
    const biases: Float32Array[] = []
    for (const name of names) {
      weights.push(await this.floats(`${name}.weight`, [rows, columns]))
      biases.push(await this.floats(`${name}.bias`, [rows]))
    }
    const total = names.length * rows
    return [tensor(joinFloats(weights), [total, columns]), tensor(joinFloats(biases), [total])]
  }

  #stored(name: string): string {
    const full = this.#prefix + name
    if (this.#names.has(full)) return full
    // What TensorFlow called them.
    return full.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta')
  }
}

function joinFloats(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
