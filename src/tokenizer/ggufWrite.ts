import { SmolforgeError } from '../errors.ts'
import type { WritableValue } from '../files/ggufWriter.ts'
import { configuredToken, type TokenizerConfiguration } from './configuration.ts'
import { ggufPreTokenizer, tokenPurposes, tokenTypes } from './gguf.ts'
import type { Vocabulary } from './vocabulary.ts'

/**
 * The entries by which llama.cpp makes the same tokenizer, with tokens that are not used up to `vocabSize`: it wants
 * as many tokens as the embedding has rows.
 */
export function ggufTokenizerEntries(
  vocabulary: Vocabulary,
  configuration: TokenizerConfiguration,
  vocabSize: number,
): Map<string, WritableValue> {
  const { tokens, merges, addedTokens, affixes } = vocabulary
  const preTokenizer = ggufPreTokenizer(vocabulary)
  if (preTokenizer === undefined) {
    throw new SmolforgeError('input', 'llama.cpp has no pre-tokenizer that does the same as this one', {
      hint: `It splits by ${vocabulary.splitSteps.join(', ')}${vocabulary.ignoreMerges ? ', words that are tokens first' : ''}.`,
    })
  }
  const types = new Array<number>(vocabSize).fill(tokenTypes.normal, 0, tokens.length)
  types.fill(tokenTypes.unused, tokens.length)
  for (const { id, special } of addedTokens) types[id] = special ? tokenTypes.control : tokenTypes.userDefined
  const unused = Array.from({ length: vocabSize - tokens.length }, (_, i) => `[PAD${tokens.length + i}]`)
  const pairs: string[] = []
  for (let at = 0; at < merges.length; at += 3) pairs.push(`${tokens[merges[at]]} ${tokens[merges[at + 1]]}`)
  const entries = new Map<string, WritableValue>([
    ['tokenizer.ggml.model', { type: 'STRING', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { type: 'STRING', value: preTokenizer }],
    ['tokenizer.ggml.add_space_prefix', { type: 'BOOL', value: false }],
    ['tokenizer.ggml.add_bos_token', { type: 'BOOL', value: affixes.before.length > 0 }],
    ['tokenizer.ggml.tokens', { type: 'STRINGS', value: [...tokens, ...unused] }],
    ['tokenizer.ggml.token_type', { type: 'INT32S', value: types }],
    ['tokenizer.ggml.merges', { type: 'STRINGS', value: pairs }],
  ])
  for (const [purpose, key] of tokenPurposes) {
    const content = configuredToken(configuration, purpose)
    const id = content === undefined ? -1 : tokens.indexOf(content)
    if (id >= 0) entries.set(key, { type: 'UINT32', value: id })
  }
  const template = configuration.chat_template
  if (typeof template === 'string') {
    entries.set('tokenizer.chat_template', { type: 'STRING', value: template })
  }
  return entries
}
