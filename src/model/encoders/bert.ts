import { join } from 'node:path'
import {
  add,
  embedding,
  gatherRows,
  gelu,
  inference,
  layerNorm,
  linear,
  overwrite,
  selfAttention,
  type Tensor,
} from '../../tensor/index.ts'
import { readJson } from '../checkpoints/json.ts'
import { openSafetensorsWeights } from '../checkpoints/safetensorsWeights.ts'
import { type BertConfig, readBertConfig } from './bertConfig.ts'
import { type BertParameters, type Biased, readBertParameters } from './bertParameters.ts'

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
      return new Bert(config, await readBertParameters(weights, config))
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
      const half = (y: Tensor, weight: Tensor, bias: Tensor, [norm, shift]: Biased, plus: Tensor) =>
        layerNorm(add(linear(y, weight, { plus }), bias), norm, shift, eps)
      // One layer's memory serves all: only the hidden states outlive it.
      inference(() => {
        const qkv = add(linear(x, layer.queriesKeysValues[0]), layer.queriesKeysValues[1])
        const seen = selfAttention(qkv, { heads, kvHeads: heads, causal: false, segments })
        const h = half(seen, ...layer.output, layer.outputNorm, x)
        const wide = gelu(add(linear(h, layer.up[0]), layer.up[1]))
        overwrite(x, half(wide, ...layer.down, layer.downNorm, h))
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
