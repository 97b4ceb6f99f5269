import { splitStepsJson } from './splitting.ts'
import type { Vocabulary } from './vocabulary.ts'

/** A vocabulary as the content of a `tokenizer.json`, which Hugging Face's libraries read and give the same ids. */
export function tokenizerJson(vocabulary: Vocabulary): string {
  const { tokens, merges, addedTokens } = vocabulary
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  const outside = new Set(addedTokens.filter(({ inModel }) => !inModel).map(({ id }) => id))
  const pairs: string[] = []
  for (let at = 0; at < merges.length; at += 3) pairs.push(`${tokens[merges[at]]} ${tokens[merges[at + 1]]}`)
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens.map(({ id, content, special, normalized, lstrip, rstrip, singleWord }) => ({
      id,
      content,
      single_word: singleWord,
      lstrip,
      rstrip,
      normalized,
      special,
    })),
    normalizer: vocabulary.nfc ? { type: 'NFC' } : null,
    pre_tokenizer: splitStepsJson(vocabulary.splitSteps),
    post_processor: vocabulary.affixes.json ?? null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: vocabulary.unknownToken ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: vocabulary.ignoreMerges,
      vocab: Object.fromEntries(
        tokens.map((token, id) => [token, id] as const).filter(([, id]) => !outside.has(id)),
      ),
      merges: pairs,
    },
  }
  return `${JSON.stringify(json, null, 2)}\n`
}
