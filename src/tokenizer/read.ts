import { readFile } from 'node:fs/promises'
import { fileError, SmolforgeError } from '../errors.ts'
import { readAffixes } from './affixes.ts'
import { bytesOfToken } from './byte-level.ts'
import { readSplitSteps } from './splitting.ts'
import type { AddedToken, Vocabulary } from './vocabulary.ts'

/**
 * Reads a `tokenizer.json` of the GPT-2, SmolLM2, Llama 3 or Qwen kind: byte-level BPE with one of their patterns.
 * `truncation` and `padding` are passed over, as transformers does.
 *
 * @throws SmolforgeError `input` that names the part: one that is malformed, or that would give other ids here.
 */
export async function readTokenizerFile(path: string): Promise<Vocabulary> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw fileError(error, path)
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new SmolforgeError('input', 'Not a JSON file', { place: { file: path }, cause })
  }
  return parseTokenizer(json, path)
}

/** The same from parsed JSON; `file` is for the errors. */
export function parseTokenizer(json: unknown, file: string): Vocabulary {
  const malformed = (field: string, what: string): SmolforgeError =>
    new SmolforgeError('input', `Not a tokenizer.json: ${what}`, { place: { file, field } })
  const unsupported = (field: string, what: string): SmolforgeError =>
    new SmolforgeError('input', `This tokenizer is not supported: ${what}`, {
      place: { file, field },
      hint: 'Supported are byte-level BPE tokenizers like those of GPT-2, SmolLM2, Llama 3 and Qwen 2 to 3.',
    })

  if (!isRecord(json)) throw malformed('', 'the file is no object')
  if (!isRecord(json.model)) throw malformed('model', 'it has no model')
  const model = json.model
  if (model.type !== undefined && model.type !== 'BPE')
    throw unsupported('model.type', `model ${show(model.type)}`)
  for (const field of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix', 'byte_fallback']) {
    const value = model[field]
    if (value !== undefined && value !== null && value !== false && value !== '' && value !== 0) {
      throw unsupported(`model.${field}`, `${field} ${show(value)}`)
    }
  }
  const nfc = readNormalizer(json.normalizer, unsupported)
  const splitting = readSplitSteps(json.pre_tokenizer)
  if ('notUnderstood' in splitting) throw unsupported('pre_tokenizer', splitting.notUnderstood)
  const affixes = readAffixes(json.post_processor)
  if ('notUnderstood' in affixes) throw unsupported('post_processor', affixes.notUnderstood)
  const decoder = json.decoder
  if (decoder !== undefined && decoder !== null && typeName(decoder) !== 'ByteLevel') {
    throw unsupported('decoder', `decoder ${typeName(decoder)}`)
  }
  const addedTokens = readAddedTokens(json.added_tokens ?? [], model.vocab, malformed)
  const tokens = readTokens(model.vocab, addedTokens, malformed, unsupported)
  const unknown = model.unk_token
  if (
    unknown !== undefined &&
    unknown !== null &&
    (typeof unknown !== 'string' || !tokens.includes(unknown))
  ) {
    throw malformed('model.unk_token', `the unknown token ${show(unknown)} is not in the vocabulary`)
  }
  if (model.fuse_unk === true) throw unsupported('model.fuse_unk', 'fuse_unk')
  const outside = [...affixes.before, ...affixes.behind].find((id) => id >= tokens.length)
  if (outside !== undefined)
    throw malformed('post_processor', `it adds the token ${outside}, which is not there`)
  return {
    tokens,
    addedTokens,
    splitSteps: splitting.steps,
    nfc,
    ignoreMerges: model.ignore_merges === true,
    affixes,
    merges: readMerges(model.merges, tokens, malformed),
    ...(typeof unknown === 'string' ? { unknownToken: unknown } : {}),
  }
}

type Complaint = (field: string, what: string) => SmolforgeError

/** Whether texts are brought to NFC, the one normalizer that byte-level tokenizers have. */
function readNormalizer(part: unknown, unsupported: Complaint): boolean {
  if (part === undefined || part === null) return false
  if (!isRecord(part) || part.type !== 'Sequence') {
    if (typeName(part) === 'NFC') return true
    throw unsupported('normalizer', `normalizer ${typeName(part)}`)
  }
  const steps = Array.isArray(part.normalizers) ? (part.normalizers as unknown[]) : []
  return steps.map((step) => readNormalizer(step, unsupported)).includes(true)
}

function readAddedTokens(part: unknown, vocab: unknown, malformed: Complaint): AddedToken[] {
  if (!Array.isArray(part)) throw malformed('added_tokens', 'added_tokens is no list')
  return part.map((token: unknown, i) => {
    const field = `added_tokens[${i}]`
    if (!isRecord(token) || typeof token.content !== 'string' || token.content === '' || !isId(token.id)) {
      throw malformed(field, 'an added token needs an id and a content')
    }
    const { id, content } = token
    return {
      id,
      content,
      special: token.special === true,
      normalized: token.normalized === true,
      lstrip: token.lstrip === true,
      rstrip: token.rstrip === true,
      singleWord: token.single_word === true,
      inModel: isRecord(vocab) && Object.hasOwn(vocab, content),
    }
  })
}

/** All tokens by id, without gaps. */
function readTokens(
  vocab: unknown,
  addedTokens: readonly AddedToken[],
  malformed: Complaint,
  unsupported: Complaint,
): string[] {
  if (!isRecord(vocab)) throw malformed('model.vocab', 'model.vocab is no object')
  const entries = Object.entries(vocab)
  const limit = entries.length + addedTokens.length
  const tokens: (string | undefined)[] = []
  const put = (field: string, token: string, id: unknown): void => {
    if (!isId(id)) throw malformed(field, `the id of ${show(token)} is ${show(id)}`)
    // Checked before it is stored: one huge id must not make a huge array.
    if (id >= limit)
      throw malformed(field, `id ${id} of ${show(token)} leaves gaps: there are ${limit} tokens`)
    const other = tokens[id]
    if (other !== undefined && other !== token) {
      throw malformed(field, `id ${id} stands for both ${show(other)} and ${show(token)}`)
    }
    tokens[id] = token
  }
  const added = new Map(addedTokens.map((token) => [token.content, token.id]))
  if (added.size !== addedTokens.length) throw malformed('added_tokens', 'an added token is there twice')
  for (const [token, id] of entries) {
    put('model.vocab', token, id)
    if (added.has(token)) {
      if (added.get(token) !== id) throw malformed('added_tokens', `${show(token)} has two ids`)
    } else if (token === '' || bytesOfToken(token) === undefined) {
      throw unsupported('model.vocab', `token ${show(token)} is not byte-level`)
    }
  }
  for (const { content, id } of addedTokens) put('added_tokens', content, id)
  const whole: string[] = []
  for (let id = 0; id < tokens.length; id++) {
    const token = tokens[id]
    if (token === undefined) throw malformed('model.vocab', `no token has id ${id}`)
    whole.push(token)
  }
  if (whole.length === 0) throw malformed('model.vocab', 'the vocabulary is empty')
  return whole
}

/** Merges as `"left right"` or `["left", "right"]`, to ids. */
function readMerges(part: unknown, tokens: readonly string[], malformed: Complaint): Uint32Array {
  if (!Array.isArray(part)) throw malformed('model.merges', 'model.merges is no list')
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const merges = new Uint32Array(part.length * 3)
  for (let rank = 0; rank < part.length; rank++) {
    const entry: unknown = part[rank]
    const pair: unknown = typeof entry === 'string' ? entry.split(' ') : entry
    const field = `model.merges[${rank}]`
    if (!Array.isArray(pair) || pair.length !== 2)
      throw malformed(field, `${show(entry)} is no pair of tokens`)
    const [left, right] = pair as unknown[]
    if (typeof left !== 'string' || typeof right !== 'string')
      throw malformed(field, 'a merge is no pair of tokens')
    for (const [at, token] of [left, right, left + right].entries()) {
      const id = ids.get(token)
      if (id === undefined) throw malformed(field, `${show(token)} is not in the vocabulary`)
      merges[rank * 3 + at] = id
    }
  }
  return merges
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31
}

function typeName(part: unknown): string {
  return isRecord(part) && typeof part.type === 'string' ? part.type : show(part)
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
