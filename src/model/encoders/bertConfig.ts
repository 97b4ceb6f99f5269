import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'

const count = z.number().int().positive()

const schema = z
  .looseObject({
    model_type: z.enum(['bert', 'roberta'], { error: 'only bert and roberta encoders can be run' }),
    vocab_size: count,
    hidden_size: count,
    num_hidden_layers: count.max(1000),
    num_attention_heads: count,
    intermediate_size: count,
    max_position_embeddings: count,
    layer_norm_eps: z.number().positive().default(1e-12),
    hidden_act: z.literal('gelu', { error: 'only the activation "gelu" can be run' }),
    position_embedding_type: z.literal('absolute', { error: 'only absolute positions can be run' }).nullish(),
    pad_token_id: z.number().int().nonnegative().default(0),
    embedding_size: z.undefined({ error: 'embeddings narrower than the model cannot be run' }).optional(),
  })
  .refine((config) => config.hidden_size % config.num_attention_heads === 0, {
    path: ['num_attention_heads'],
    error: 'hidden_size must be a multiple of it',
  })

/** The shape of a BERT-family encoder, in camelCase. */
export interface BertConfig {
  modelType: 'bert' | 'roberta'
  vocabSize: number
  hiddenSize: number
  layers: number
  heads: number
  intermediateSize: number
  /** Rows of the table of positions, and its row for the first token: RoBERTa's positions begin after the padding's. */
  positions: number
  firstPosition: number
  layerNormEps: number
}

/** @throws SmolforgeError `input` naming the field when it is no BERT or RoBERTa of the kind we run. */
export function readBertConfig(json: unknown, file: string): BertConfig {
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const field = issue.path.join('.')
    throw new SmolforgeError('input', `Not an encoder that can be run: ${field}: ${issue.message}`, {
      place: { file, field },
      hint: 'Encoders are Llama models, and BERT and RoBERTa with absolute positions and GELU.',
    })
  }
  const config = parsed.data
  return {
    modelType: config.model_type,
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    intermediateSize: config.intermediate_size,
    positions: config.max_position_embeddings,
    firstPosition: config.model_type === 'roberta' ? config.pad_token_id + 1 : 0,
    layerNormEps: config.layer_norm_eps,
  }
}
