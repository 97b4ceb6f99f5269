import { z } from 'zod'
import type { RunReport } from './data.ts'
import type { RunReader } from './reading.ts'

const CONFIGS = [
  'model',
  'steps/dpo/model',
  'steps/sft/model',
  'steps/pretrain-3/model',
  'steps/pretrain-1/model',
]

const configSchema = z.looseObject({
  vocab_size: z.number(),
  hidden_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  num_key_value_heads: z.number(),
  intermediate_size: z.number(),
  head_dim: z.number().nullish(),
  tie_word_embeddings: z.boolean().default(true),
})

/** What the newest model's `config.json` says, and how many parameters that makes in the Llama architecture. */
export async function modelFacts(reader: RunReader): Promise<RunReport['model']> {
  for (const folder of CONFIGS) {
    const config = await reader.json(`${folder}/config.json`, configSchema)
    if (config === undefined) continue
    const shown = Object.entries(config).filter(
      (entry): entry is [string, string | number | boolean] =>
        typeof entry[1] === 'string' || typeof entry[1] === 'number' || typeof entry[1] === 'boolean',
    )
    return { parameters: countParameters(config), config: Object.fromEntries(shown) }
  }
  return undefined
}

function countParameters(config: z.infer<typeof configSchema>): number {
  const {
    vocab_size,
    hidden_size: width,
    num_attention_heads,
    num_key_value_heads,
    intermediate_size,
  } = config
  const headDim = config.head_dim ?? width / num_attention_heads
  const attention = 2 * width * num_attention_heads * headDim + 2 * width * num_key_value_heads * headDim
  const layer = attention + 3 * width * intermediate_size + 2 * width
  const embeddings = vocab_size * width * (config.tie_word_embeddings ? 1 : 2)
  return embeddings + config.num_hidden_layers * layer + width
}
