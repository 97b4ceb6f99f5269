import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'
import { parseTokenizer } from './read.ts'
import { Tokenizer } from './tokenizer.ts'
import { type EncoderTokenizer, readWordPiece } from './wordPiece.ts'

/**
 * The tokenizer of an encoder's folder, from its `tokenizer.json`: BERT's WordPiece or RoBERTa's byte-level BPE.
 *
 * @throws SmolforgeError `input` that names the part: one that is malformed, or that would give other ids here.
 */
export async function loadEncoderTokenizer(dir: string): Promise<EncoderTokenizer> {
  const file = join(dir, 'tokenizer.json')
  let json: unknown
  try {
    json = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw fileError(error, file)
    throw new SmolforgeError('input', 'Not a JSON file', { place: { file }, cause: error })
  }
  const model = isRecord(json) && isRecord(json.model) ? json.model : {}
  return model.type === 'BPE' ? readByteLevel(json, file) : readWordPiece(json, file)
}

/** RoBERTa's (Liu et al. 2019): the ids of GPT-2's kind of BPE between `<s>` and `</s>`. */
function readByteLevel(json: unknown, file: string): EncoderTokenizer {
  const whole = json as Record<string, unknown>
  const added = Array.isArray(whole.added_tokens) ? whole.added_tokens : []
  // The mask takes the space before it along: nothing that texts to be judged hold.
  const plain = added.map((token: unknown) => (isRecord(token) ? { ...token, lstrip: false } : token))
  const vocabulary = parseTokenizer({ ...whole, post_processor: null, added_tokens: plain }, file)
  const tokenizer = new Tokenizer(vocabulary, { eos_token: '</s>', bos_token: '<s>', unk_token: '<unk>' })
  const [start, end] = ['<s>', '</s>'].map((token) => {
    const id = vocabulary.tokens.indexOf(token)
    if (id >= 0) return id
    throw new SmolforgeError('input', `The vocabulary has no ${token}`, { place: { file, field: 'model' } })
  })
  return {
    vocabSize: vocabulary.tokens.length,
    encode(text, maxTokens) {
      const ids = tokenizer.encode(text.slice(0, 64 * maxTokens)).subarray(0, maxTokens - 2)
      return Uint32Array.from([start, ...ids, end])
    },
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
