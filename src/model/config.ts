import { z } from 'zod'
import { SmolforgeError } from '../errors.ts'

const count = z.number().int().positive()

/** The shape of a Llama in the names of the Hugging Face `config.json`, in camelCase. */
export const llamaConfigSchema = z
  .strictObject({
    vocabSize: count,
    hiddenSize: count,
    numHiddenLayers: count,
    numAttentionHeads: count,
    numKeyValueHeads: count,
    intermediateSize: count,
    maxPositionEmbeddings: count,
    rmsNormEps: z.number().positive().default(1e-5),
    ropeTheta: z.number().positive().default(10_000),
    tieWordEmbeddings: z.boolean().default(true),
    initializerRange: z.number().positive().default(0.02),
  })
  .superRefine((config, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (config.hiddenSize % config.numAttentionHeads !== 0) {
      refuse(
        'numAttentionHeads',
        `hiddenSize ${config.hiddenSize} is no multiple of ${config.numAttentionHeads} heads`,
      )
    } else if ((config.hiddenSize / config.numAttentionHeads) % 2 !== 0) {
      refuse('numAttentionHeads', 'RoPE needs an even number of dimensions in a head')
    }
    if (config.numAttentionHeads % config.numKeyValueHeads !== 0) {
      refuse('numKeyValueHeads', 'the number of attention heads must be a multiple of the key-value heads')
    }
  })

export type LlamaConfig = z.infer<typeof llamaConfigSchema>

/** A configuration of our own making, with its defaults; SmolforgeError `usage` naming the field that cannot be. */
export function checkedConfig(config: z.input<typeof llamaConfigSchema>): LlamaConfig {
  const parsed = llamaConfigSchema.safeParse(config)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const field = issue.path.join('.')
  throw new SmolforgeError('usage', `Not a usable model configuration: ${field}: ${issue.message}`, {
    place: { field },
  })
}

/** Dimensions of one attention head. */
export function headDim(config: LlamaConfig): number {
  return config.hiddenSize / config.numAttentionHeads
}

const camelToHf = {
  vocabSize: 'vocab_size',
  hiddenSize: 'hidden_size',
  numHiddenLayers: 'num_hidden_layers',
  numAttentionHeads: 'num_attention_heads',
  numKeyValueHeads: 'num_key_value_heads',
  intermediateSize: 'intermediate_size',
  maxPositionEmbeddings: 'max_position_embeddings',
  rmsNormEps: 'rms_norm_eps',
  tieWordEmbeddings: 'tie_word_embeddings',
  initializerRange: 'initializer_range',
} as const

/** What every Llama of ours is, so what another folder must say or leave out to be one. */
const fixedFields = {
  hidden_act: 'silu',
  attention_bias: false,
  mlp_bias: false,
  pretraining_tp: 1,
  rope_interleaved: false,
} as const

/** The `config.json` that `transformers` reads (both its version 4 and 5 forms of the RoPE settings). */
export function toHfConfig(
  config: LlamaConfig,
  dtype: 'float32' | 'bfloat16' | 'float16' = 'float32',
): Record<string, unknown> {
  const named = Object.entries(camelToHf).map(([ours, theirs]) => [theirs, config[ours as keyof LlamaConfig]])
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    ...Object.fromEntries(named),
    head_dim: headDim(config),
    rope_theta: config.ropeTheta,
    rope_scaling: null,
    rope_parameters: { rope_type: 'default', rope_theta: config.ropeTheta },
    hidden_act: fixedFields.hidden_act,
    attention_bias: false,
    attention_dropout: 0,
    mlp_bias: false,
    pretraining_tp: 1,
    bos_token_id: 0,
    eos_token_id: 0,
    use_cache: true,
    dtype,
    torch_dtype: dtype,
  }
}

const rope = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().optional(),
})

const hfSchema = z.looseObject({
  model_type: z.string().optional(),
  architectures: z.array(z.string()).nullish(),
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: rope.nullish(),
  rope_parameters: rope.nullish(),
})

/**
 * Reads a `config.json` that was parsed from `file`.
 *
 * @throws SmolforgeError `input` naming the field when it is no Llama of the kind we build: another architecture,
 * scaled or interleaved RoPE, biases, another activation.
 */
export function fromHfConfig(json: unknown, file?: string): LlamaConfig {
  const parsed = hfSchema.safeParse(json)
  if (!parsed.success) throw unfit(parsed.error, file)
  const hf = parsed.data
  const refuse = (field: string, message: string): never => {
    throw new SmolforgeError('input', message, { place: { file, field }, hint: ONLY_LLAMA })
  }
  const architecture = hf.architectures?.[0] ?? (hf.model_type === 'llama' ? 'LlamaForCausalLM' : 'none')
  if (architecture !== 'LlamaForCausalLM' || (hf.model_type ?? 'llama') !== 'llama') {
    refuse('architectures', `The architecture ${architecture} (${hf.model_type}) is not one we can run`)
  }
  for (const [field, value] of Object.entries(fixedFields)) {
    const found = hf[field]
    if (found !== undefined && found !== null && found !== value) {
      refuse(field, `${field} is ${JSON.stringify(found)}, only ${JSON.stringify(value)} can be run`)
    }
  }
  for (const field of ['rope_scaling', 'rope_parameters'] as const) {
    const type = hf[field]?.rope_type ?? hf[field]?.type ?? 'default'
    if (type !== 'default') refuse(field, `RoPE scaled by "${type}" is not supported`)
  }
  const config = llamaConfigSchema.safeParse({
    ...Object.fromEntries(
      Object.entries(camelToHf)
        .filter(([, theirs]) => hf[theirs] !== undefined && hf[theirs] !== null)
        .map(([ours, theirs]) => [ours, hf[theirs]]),
    ),
    numKeyValueHeads: hf.num_key_value_heads ?? hf.num_attention_heads,
    // Where the file says nothing, transformers' own defaults hold, not ours.
    ropeTheta: hf.rope_parameters?.rope_theta ?? hf.rope_theta ?? hf.rope_scaling?.rope_theta ?? 10_000,
    rmsNormEps: hf.rms_norm_eps ?? 1e-6,
    tieWordEmbeddings: hf.tie_word_embeddings ?? false,
  })
  if (!config.success) throw unfit(config.error, file)
  if (typeof hf.head_dim === 'number' && hf.head_dim !== headDim(config.data)) {
    refuse('head_dim', `head_dim ${hf.head_dim} is not hidden_size / num_attention_heads`)
  }
  return config.data
}

const ONLY_LLAMA =
  'smolforge runs the Llama architecture of SmolLM2: RMSNorm, plain RoPE, SwiGLU, no biases (see docs/model.md).'

function unfit(error: z.ZodError, file?: string): SmolforgeError {
  const issue = error.issues[0]
  const field = issue.path.join('.')
  const names: Record<string, string> = camelToHf
  return new SmolforgeError(
    'input',
    `Not a usable model configuration: ${names[field] ?? field}: ${issue.message}`,
    {
      place: { file, field: names[field] ?? field },
    },
  )
}
