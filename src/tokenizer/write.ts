import type { Vocabulary } from './vocabulary.ts'

/** A vocabulary as the content of a `tokenizer.json`, which Hugging Face's libraries read and give the same ids. */
export function tokenizerJson(vocabulary: Vocabulary): string {
  const { tokens, merges, addedTokens } = vocabulary
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  const pairs: string[] = []
  for (let at = 0; at < merges.length; at += 3) pairs.push(`${tokens[merges[at]]} ${tokens[merges[at + 1]]}`)
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens.map(({ id, content, special, normalized }) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized,
      special,
    })),
    normalizer: null,
    pre_tokenizer: vocabulary.splitDigits
      ? { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] }
      : byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: vocabulary.unknownToken ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: pairs,
    },
  }
  return `${JSON.stringify(json, null, 2)}\n`
}
