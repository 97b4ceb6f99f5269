import type { Random } from '../random/random.ts'
import {
  add,
  attention,
  embedding,
  headLoss,
  inference,
  linear,
  parameter,
  reshape,
  rmsNorm,
  rope,
  swiglu,
  type Tensor,
  tensor,
  writeRows,
} from '../tensor/index.ts'
import type { KeyValueCache } from './cache.ts'
import { normal } from './checkpoints/floats.ts'
import { readFolder, type SaveOptions, type SavesItself, writeFolder } from './checkpoints/folder.ts'
import { checkedConfig, headDim, type LlamaConfig } from './config.ts'
import { type LayerParameters, layerParameters, parameterShapes, take } from './parameters.ts'

/** Rows of tokens to learn from; each array is `batchSize * sequenceLength` long and row-major. */
export interface LossBatch {
  batchSize: number
  sequenceLength: number
  tokens: Int32Array
  /** The token to predict at each position; below 0 where none is. */
  targets: Int32Array
  /** Attention stays inside one segment of a row. */
  segments?: Int32Array
  /** What the loss of each position counts; 1 / (number of targets) when left out, so that `loss` is their mean. */
  weights?: Float32Array
}

export interface HiddenOptions {
  /** i32[B, T]: attention stays inside one segment. */
  segments?: Tensor
  /** Keys and values of earlier positions; it takes the new ones, and grows by T. For inference. */
  cache?: KeyValueCache
}

/**
 * The Llama of SmolLM2 (arXiv 2502.02737; Touvron et al. 2023): pre-normalised blocks of causal attention with rotary
 * positions and grouped queries, and of SwiGLU; no biases; input and output embeddings tied or not. Parameters carry
 * the names of Hugging Face checkpoints.
 */
export class Llama {
  readonly config: LlamaConfig
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly #embedTokens: Tensor
  readonly #layers: readonly LayerParameters[]
  readonly #norm: Tensor
  readonly #head: Tensor

  constructor(config: LlamaConfig, parameters: ReadonlyMap<string, Tensor>) {
    this.config = config
    this.parameters = parameters
    this.#embedTokens = take(parameters, 'model.embed_tokens.weight')
    this.#layers = Array.from({ length: config.numHiddenLayers }, (_, i) => layerParameters(parameters, i))
    this.#norm = take(parameters, 'model.norm.weight')
    this.#head = config.tieWordEmbeddings ? this.#embedTokens : take(parameters, 'lm_head.weight')
  }

  /** A new model: matrices normal(0, initializerRange), norms 1. */
  static create(config: LlamaConfig, random: Random): Llama {
    const checked = checkedConfig(config)
    const parameters = new Map<string, Tensor>()
    for (const [name, shape] of parameterShapes(checked)) {
      const size = shape.reduce((product, length) => product * length, 1)
      const seed = Array.from({ length: 4 }, () => random.uint32())
      const values =
        shape.length === 1 ? new Float32Array(size).fill(1) : normal(size, checked.initializerRange, seed)
      parameters.set(name, parameter(values, shape))
    }
    return new Llama(checked, parameters)
  }

  /**
   * Reads a Hugging Face folder (`config.json` and `model.safetensors`, whole or in parts with an index) or a GGUF file.
   *
   * @throws SmolforgeError `input` or `damaged` naming the file, and the field, tensor or byte.
   */
  static async load(dir: string): Promise<Llama> {
    const parameters = new Map<string, Tensor>()
    const config = await readFolder(dir, (name, shape, values) => {
      parameters.set(name, parameter(values, shape))
    })
    return new Llama(config, parameters)
  }

  /** Writes a Hugging Face folder that `transformers` loads, with the tokenizer's files when one is given. */
  async save(dir: string, tokenizer?: SavesItself, options: SaveOptions = {}): Promise<void> {
    await writeFolder(dir, this.config, this.parameters, tokenizer, options)
  }

  /** The last hidden states [B, T, hidden], normalised, of tokens i32[B, T]. */
  hidden(tokens: Tensor, { segments, cache }: HiddenOptions = {}): Tensor {
    const { rmsNormEps } = this.config
    let x = embedding(this.#embedTokens, tokens)
    for (const [i, layer] of this.#layers.entries()) {
      const block = () => {
        const h = add(x, this.#attend(rmsNorm(x, layer.inputNorm, rmsNormEps), layer, i, segments, cache))
        return add(h, feedForward(rmsNorm(h, layer.postAttentionNorm, rmsNormEps), layer))
      }
      if (x.requiresGrad) x = block()
      // Without a backward pass to come, one block's memory serves all: only the residual stream outlives it.
      else inference(() => writeRows(x, block(), 0))
    }
    cache?.advance(tokens.shape[1])
    return rmsNorm(x, this.#norm, rmsNormEps)
  }

  /** hidden [.., hidden] to logits [.., vocab]. */
  logits(hidden: Tensor): Tensor {
    return linear(hidden, this.#head)
  }

  /** The output embedding [vocab, hidden], for the fused heads. */
  get headWeight(): Tensor {
    return this.#head
  }

  /**
   * Cross-entropy of the next token, in nats: the weighted sum as `loss` (with gradient) and each position's as
   * `nll` [B * T].
   */
  loss(batch: LossBatch): { loss: Tensor; nll: Tensor } {
    const { batchSize, sequenceLength, segments, targets } = batch
    const shape = [batchSize, sequenceLength]
    const hidden = this.hidden(tensor(batch.tokens, shape), {
      segments: segments && tensor(segments, shape),
    })
    const rows = batchSize * sequenceLength
    const weights = batch.weights ?? new Float32Array(rows).fill(1 / Math.max(1, countTargets(targets)))
    const x = reshape(hidden, [rows, this.config.hiddenSize])
    return headLoss(x, this.#head, tensor(targets, [rows]), weights)
  }

  free(): void {
    for (const each of this.parameters.values()) each.free()
  }

  #attend(
    x: Tensor,
    layer: LayerParameters,
    index: number,
    segments: Tensor | undefined,
    cache: KeyValueCache | undefined,
  ): Tensor {
    const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, ropeTheta: theta } = this.config
    const turn = { headDim: headDim(this.config), theta, start: cache?.length ?? 0 }
    const q = rope(linear(x, layer.queries), turn)
    const k = rope(linear(x, layer.keys), turn)
    const v = linear(x, layer.values)
    if (cache === undefined) return linear(attention(q, k, v, { heads, kvHeads, segments }), layer.output)
    const { keys, values, keyLength } = cache.write(index, k, v)
    return linear(attention(q, keys, values, { heads, kvHeads, keyLength }), layer.output)
  }
}

/** How many positions have a token to predict. */
export function countTargets(targets: Int32Array): number {
  let count = 0
  for (const target of targets) if (target >= 0) count++
  return count
}

function feedForward(x: Tensor, layer: LayerParameters): Tensor {
  return linear(swiglu(linear(x, layer.gate), linear(x, layer.up)), layer.down)
}
