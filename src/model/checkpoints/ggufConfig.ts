import type { GgufMetadata } from '../../files/gguf.ts'
import type { GgufTensor } from '../../files/ggufHeader.ts'
import { headDim, type LlamaConfig, llamaConfigSchema } from '../config.ts'

const HINT =
  'smolforge runs the Llama architecture of SmolLM2: RMSNorm, plain RoPE, SwiGLU, no biases (see docs/model.md).'

/**
 * The shape of a Llama from the metadata of a GGUF file, with llama.cpp's defaults where it says nothing.
 *
 * @throws SmolforgeError `input` naming file and field when it is none of the kind we run.
 */
export function fromGgufMetadata(metadata: GgufMetadata, tensors: readonly GgufTensor[]): LlamaConfig {
  refuseOthers(metadata, tensors)
  const needed = (key: string): number => {
    const value = metadata.number(key)
    if (value !== undefined) return value
    throw metadata.refusal(key, `The file does not say ${key}`)
  }
  const numAttentionHeads = needed('llama.attention.head_count')
  const embedding = tensors.find(({ name }) => name === 'token_embd.weight')
  const parsed = llamaConfigSchema.safeParse({
    vocabSize: embedding?.shape[0] ?? needed('llama.vocab_size'),
    hiddenSize: needed('llama.embedding_length'),
    numHiddenLayers: needed('llama.block_count'),
    numAttentionHeads,
    numKeyValueHeads: metadata.number('llama.attention.head_count_kv') ?? numAttentionHeads,
    intermediateSize: needed('llama.feed_forward_length'),
    maxPositionEmbeddings: needed('llama.context_length'),
    rmsNormEps: shortest(needed('llama.attention.layer_norm_rms_epsilon')),
    ropeTheta: shortest(metadata.number('llama.rope.freq_base') ?? 10_000),
    tieWordEmbeddings: !tensors.some(({ name }) => name === 'output.weight'),
  })
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]
    throw metadata.refusal(path.join('.'), `Not a usable model: ${path.join('.')}: ${message}`)
  }
  const dimensions = headDim(parsed.data)
  for (const key of ['rope.dimension_count', 'attention.key_length', 'attention.value_length']) {
    const found = metadata.number(`llama.${key}`) ?? dimensions
    if (found !== dimensions) {
      throw metadata.refusal(`llama.${key}`, `llama.${key} is ${found}, a head has ${dimensions}`, HINT)
    }
  }
  return parsed.data
}

function refuseOthers(metadata: GgufMetadata, tensors: readonly GgufTensor[]): void {
  const architecture = metadata.text('general.architecture') ?? '(none)'
  if (architecture !== 'llama') {
    const message = `The architecture ${architecture} is not one we can run`
    throw metadata.refusal('general.architecture', message, HINT)
  }
  const scaling = metadata.text('llama.rope.scaling.type') ?? 'none'
  if (scaling !== 'none') {
    throw metadata.refusal('llama.rope.scaling.type', `RoPE scaled by "${scaling}" is not supported`, HINT)
  }
  for (const key of ['llama.rope.scaling.factor', 'llama.rope.scale_linear']) {
    const factor = metadata.number(key) ?? 1
    // 0 is how llama.cpp says that nothing is scaled.
    if (factor !== 1 && factor !== 0)
      throw metadata.refusal(key, `RoPE scaled by ${factor} is not supported`, HINT)
  }
  if (tensors.some(({ name }) => name === 'rope_freqs.weight')) {
    throw metadata.refusal('rope_freqs.weight', 'RoPE with frequencies of its own is not supported', HINT)
  }
  if ((metadata.number('llama.expert_count') ?? 0) > 0) {
    throw metadata.refusal('llama.expert_count', 'A mixture of experts is not supported', HINT)
  }
  if ((metadata.number('split.count') ?? 1) > 1) {
    throw metadata.refusal(
      'split.count',
      'The model is split into several GGUF files',
      'Merge them: llama-gguf-split --merge.',
    )
  }
}

/** A number that went through f32 in its shortest decimal form: 9.999999747378752e-6 was 1e-5. */
function shortest(value: number): number {
  const short = Number(value.toPrecision(7))
  return Math.fround(short) === Math.fround(value) ? short : value
}
