import { join } from 'node:path'
import { SmolforgeError } from '../../errors.ts'
import {
  add,
  embedding,
  gatherRows,
  gelu,
  inference,
  layerNorm,
  linear,
  selfAttention,
  type Tensor,
  tensor,
  writeRows,
} from '../../tensor/index.ts'
import { readJson } from '../checkpoints/json.ts'
import { openSafetensorsWeights } from '../checkpoints/safetensorsWeights.ts'
import type { Weights } from '../checkpoints/weights.ts'
import { type BertConfig, readBertConfig } from './bertConfig.ts'

/**
 * BERT's encoder (Devlin et al. 2019) and RoBERTa's (Liu et al. 2019), for inference: learned positions, attention in both
 * directions, LayerNorm after each half of a block, GELU. Every text is of the first token type.
 */
export class Bert {
  readonly config: BertConfig
  readonly #parameters: BertParameters

  private constructor(config: BertConfig, parameters: BertParameters) {
    this.config = config
    this.#parameters = parameters
  }

  /**
   * Reads a Hugging Face folder: `config.json` and safetensors, whole or in parts.
   *
   * @throws SmolforgeError `input` or `damaged` naming the file, and the field, tensor or byte.
   */
  static async load(dir: string): Promise<Bert> {
    const file = join(dir, 'config.json')
    const config = readBertConfig(await readJson(file), file)
    const weights = await openSafetensorsWeights(dir)
    try {
      return new Bert(config, await readParameters(weights, config))
    } finally {
      await weights.close()
    }
  }

  /** Tokens of the longest text. */
  get maxTokens(): number {
    return this.config.positions - this.config.firstPosition
  }

  /** The last hidden states [B, T, hidden] of ids i32[B, T]; segments i32[B, T] tell each row's text from its padding. */
  hidden(ids: Tensor, segments: Tensor): Tensor {
    const { heads, layerNormEps: eps, firstPosition } = this.config
    const { words, positions, normWeight, normBias, layers } = this.#parameters
    const places = Int32Array.from({ length: ids.shape[1] }, (_, i) => firstPosition + i)
    const x = layerNorm(add(embedding(words, ids), gatherRows(positions, places)), normWeight, normBias, eps)
    for (const layer of layers) {
      const half = (y: Tensor, weight: Tensor, bias: Tensor, [norm, shift]: Pair, plus: Tensor) =>
        layerNorm(add(linear(y, weight, { plus }), bias), norm, shift, eps)
      // One layer's memory serves all: only the hidden states outlive it.
      inference(() => {
        const qkv = add(linear(x, layer.queriesKeysValues[0]), layer.queriesKeysValues[1])
        const seen = selfAttention(qkv, { heads, kvHeads: heads, causal: false, segments })
        const h = half(seen, ...layer.output, layer.outputNorm, x)
        const wide = gelu(add(linear(h, layer.up[0]), layer.up[1]))
        writeRows(x, half(wide, ...layer.down, layer.downNorm, h), 0)
      })
    }
    return x
  }

  free(): void {
    const { words, positions, normWeight, normBias, layers } = this.#parameters
    const rest = layers.flatMap((layer) => Object.values(layer).flat())
    for (const each of [words, positions, normWeight, normBias, ...rest]) each.free()
  }
}

/** A weight and its bias. */
type Pair = [Tensor, Tensor]

interface BertLayer {
  queriesKeysValues: Pair
  output: Pair
  outputNorm: Pair
  up: Pair
  down: Pair
  downNorm: Pair
}

interface BertParameters {
  words: Tensor
  /** With the embedding of the first token type added. */
  positions: Tensor
  normWeight: Tensor
  normBias: Tensor
  layers: BertLayer[]
}

async function readParameters(weights: Weights, config: BertConfig): Promise<BertParameters> {
  const { hiddenSize: hidden, intermediateSize: wide } = config
  const names = new Set(weights.names)
  const prefix = ['', 'bert.', 'roberta.'].find((one) => names.has(`${one}embeddings.word_embeddings.weight`))
  const read = async (name: string, shape: readonly number[]): Promise<Float32Array> => {
    const full = `${prefix ?? ''}${name}`
    // What TensorFlow called them.
    const old = full
      .replace(/LayerNorm\.weight$/, 'LayerNorm.gamma')
      .replace(/LayerNorm\.bias$/, 'LayerNorm.beta')
    const there = names.has(full) ? full : old
    const entry = weights.entry(there)
    if (`${entry.shape}` === `${shape}`) return weights.read(there)
    throw new SmolforgeError(
      'input',
      `The tensor ${there} is [${entry.shape}], the configuration means [${shape}]`,
      { place: { file: entry.path } },
    )
  }
  const pair = async (name: string, shape: readonly number[]): Promise<Pair> => [
    tensor(await read(`${name}.weight`, shape), shape),
    tensor(await read(`${name}.bias`, [shape[0]]), [shape[0]]),
  ]
  const joined = async (names: readonly string[]): Promise<Pair> => {
    const parts: Float32Array[][] = []
    for (const name of names) {
      parts.push([await read(`${name}.weight`, [hidden, hidden]), await read(`${name}.bias`, [hidden])])
    }
    const [weight, bias] = [0, 1].map((i) => joinFloats(parts.map((part) => part[i])))
    return [tensor(weight, [names.length * hidden, hidden]), tensor(bias, [names.length * hidden])]
  }
  const layers: BertLayer[] = []
  for (let i = 0; i < config.layers; i++) {
    const at = (name: string) => `encoder.layer.${i}.${name}`
    layers.push({
      queriesKeysValues: await joined(['query', 'key', 'value'].map((one) => at(`attention.self.${one}`))),
      output: await pair(at('attention.output.dense'), [hidden, hidden]),
      outputNorm: await pair(at('attention.output.LayerNorm'), [hidden]),
      up: await pair(at('intermediate.dense'), [wide, hidden]),
      down: await pair(at('output.dense'), [hidden, wide]),
      downNorm: await pair(at('output.LayerNorm'), [hidden]),
    })
  }
  const positions = await read('embeddings.position_embeddings.weight', [config.positions, hidden])
  const types = weights.entry(`${prefix ?? ''}embeddings.token_type_embeddings.weight`).shape[0]
  const type = await read('embeddings.token_type_embeddings.weight', [types, hidden])
  const [normWeight, normBias] = await pair('embeddings.LayerNorm', [hidden])
  return {
    words: tensor(await read('embeddings.word_embeddings.weight', [config.vocabSize, hidden]), [
      config.vocabSize,
      hidden,
    ]),
    positions: tensor(
      positions.map((value, i) => value + type[i % hidden]),
      [config.positions, hidden],
    ),
    normWeight,
    normBias,
    layers,
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
