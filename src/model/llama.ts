import { SmolforgeError } from '../errors.ts'
import type { Random } from '../random/random.ts'
import {
  activationType,
  attendSequences,
  embedding,
  headLoss,
  inference,
  linear,
  normLinears,
  overwrite,
  parameter,
  recompute,
  recording,
  reshape,
  rmsNorm,
  ropeInPlace,
  selfAttention,
  swigluLinear,
  Tensor,
  tensor,
  untilBackward,
} from '../tensor/index.ts'
import { adaptedBlock } from './adaptedBlock.ts'
import { normal } from './checkpoints/floats.ts'
import { readFolder, type SaveOptions, type SavesItself, writeFolder } from './checkpoints/folder.ts'
import { openParameters } from './checkpoints/mapped.ts'
import { checkedConfig, headDim, type LlamaConfig } from './config.ts'
import type { LoraAdapter } from './lora.ts'
import { type LayerParameters, layerParameters, parameterShapes, take } from './parameters.ts'
import type { TokenSequence } from './sequences.ts'

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
  /**
   * What lies one after the other in tokens[1, T], without padding: each has positions and attention of its own. For
   * inference; all of the tokens are one sequence when left out.
   */
  sequences?: readonly TokenSequence[]
}

/**
 * The Llama of SmolLM2 (arXiv 2502.02737; Touvron et al. 2023): pre-normalised blocks of causal attention with rotary
 * positions and grouped queries, and of SwiGLU; no biases; input and output embeddings tied or not. Parameters carry
 * the names of Hugging Face checkpoints.
 */
export class Llama {
  readonly config: LlamaConfig
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly adapter: LoraAdapter | undefined
  /** Whether training keeps the input of each block alone and computes the block again in backward. */
  recomputeActivations = false
  readonly #embedTokens: Tensor
  readonly #layers: readonly LayerParameters[]
  readonly #norm: Tensor
  readonly #head: Tensor

  constructor(config: LlamaConfig, parameters: ReadonlyMap<string, Tensor>, adapter?: LoraAdapter) {
    this.config = config
    this.parameters = parameters
    this.adapter = adapter
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

  /**
   * As `load`, for inference alone: matrices that are not f32 stay in their file, mapped, in the type that they are
   * stored in. They have no gradients.
   */
  static async open(path: string): Promise<Llama> {
    const { config, parameters } = await openParameters(path)
    return new Llama(config, parameters)
  }

  /**
   * This model with an adapter beside its weights, for training and inference. The weights are the same memory and get
   * no gradients; what an optimizer moves is the adapter.
   */
  withAdapter(adapter: LoraAdapter): Llama {
    const frozen = new Map(
      [...this.parameters].map(([name, { shape, dtype, buffer }]) => [
        name,
        new Tensor(shape, dtype, buffer),
      ]),
    )
    return new Llama(this.config, frozen, adapter)
  }

  /** What an optimizer moves: the adapter where there is one, else all parameters. */
  get trainable(): ReadonlyMap<string, Tensor> {
    return this.adapter?.parameters ?? this.parameters
  }

  /** Writes a Hugging Face folder that `transformers` loads, with the tokenizer's files when one is given. */
  async save(dir: string, tokenizer?: SavesItself, options: SaveOptions = {}): Promise<void> {
    if (this.adapter) {
      throw new SmolforgeError('usage', 'A model with an adapter beside it is not saved whole', {
        hint: 'Merge the adapter into its base and save that, or save the adapter.',
      })
    }
    await writeFolder(dir, this.config, this.parameters, tokenizer, options)
  }

  /** The last hidden states [B, T, hidden], normalised, of tokens i32[B, T]. */
  hidden(tokens: Tensor, options: HiddenOptions = {}): Tensor {
    const { sequences } = options
    const { rmsNormEps } = this.config
    if (sequences !== undefined) checkSequences(tokens, options)
    // The residual stream is f32; what one product hands to the next is stored as the products take it.
    const dtype = activationType()
    let x = untilBackward(embedding(this.#embedTokens, tokens))
    for (const [i, layer] of this.#layers.entries()) {
      const adapters = this.adapter?.layers[i]
      const block = (x: Tensor, into?: Tensor) => {
        if (adapters) {
          const factor = this.adapter?.scale ?? 1
          return adaptedBlock(x, {
            config: this.config,
            layer,
            adapters,
            factor,
            segments: options.segments,
            sequences,
          })
        }
        const { inputNorm, queries, keys, values, postAttentionNorm, gate, up } = layer
        const qkv = untilBackward(normLinears(x, inputNorm, rmsNormEps, [queries, keys, values], dtype))
        const attended = untilBackward(this.#attend(qkv, i, options))
        const h = untilBackward(linear(attended, layer.output, { plus: x }))
        const gateUp = untilBackward(normLinears(h, postAttentionNorm, rmsNormEps, [gate, up], dtype))
        return untilBackward(swigluLinear(gateUp, layer.down, h, into))
      }
      if (!(x.requiresGrad || (adapters && recording()))) {
        // Without a backward pass to come, one block's memory serves all: only the residual stream outlives it.
        inference(() => overwrite(x, block(x, x)))
      } else if (this.recomputeActivations) {
        const trained = adapters
          ? Object.values(adapters).flatMap(({ a, b }) => [a, b])
          : Object.values(layer)
        x = untilBackward(recompute(x, trained, (x) => block(x)))
      } else x = block(x)
    }
    for (const { cache, length } of sequences ?? []) cache?.advance(length)
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
    this.adapter?.free()
  }

  /** Queries, keys and values side by side to what each position takes from those before it. */
  #attend(qkv: Tensor, layer: number, { segments, sequences }: HiddenOptions): Tensor {
    const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, ropeTheta: theta } = this.config
    if (sequences === undefined) {
      const turn = { headDim: headDim(this.config), theta, heads: heads + kvHeads }
      return selfAttention(ropeInPlace(qkv, turn), { heads, kvHeads, segments })
    }
    const attended = sequences.map(({ length, cache, prefix }) => ({
      length,
      before: cache?.length ?? prefix?.length,
      beforeRow: prefix?.row,
      cache: cache?.layer(layer, length),
    }))
    return attendSequences(qkv, attended, { heads, kvHeads, theta })
  }
}

function checkSequences(tokens: Tensor, { segments, sequences = [] }: HiddenOptions): void {
  if (segments !== undefined || recording()) {
    throw new SmolforgeError('usage', 'Sequences are for inference, and have no segments', {
      hint: 'Call hidden() inside inference(), or give rows of one length with segments.',
    })
  }
  const total = sequences.reduce((sum, { length }) => sum + length, 0)
  const fits = tokens.shape[0] === 1 && total === tokens.size && sequences.every(({ length }) => length > 0)
  if (!fits) {
    throw new SmolforgeError(
      'usage',
      `${sequences.length} sequences of ${total} tokens in all do not lie in tokens [${tokens.shape}]`,
      { hint: 'Tokens are [1, sum of lengths], and no length is 0.' },
    )
  }
}

/** How many positions have a token to predict. */
export function countTargets(targets: Int32Array): number {
  let count = 0
  for (const target of targets) if (target >= 0) count++
  return count
}
