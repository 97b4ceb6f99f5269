import type { GgufMetadata } from '../files/gguf.ts'
import { type Affixes, templateAround } from './affixes.ts'
import { isByteLevel } from './byte-level.ts'
import { chatMLTemplate } from './chat.ts'
import type { TokenizerConfiguration, TokenPurpose } from './configuration.ts'
import { preTokenizers, type SplitStep } from './splitting.ts'
import { type AddedToken, plainAddedToken, type Vocabulary } from './vocabulary.ts'

/** What each pre-tokenizer of llama.cpp that we have does; the file names it, it does not carry it. */
const preTokenizersByName: Readonly<Record<string, Splitting>> = {
  smollm: { ...preTokenizers.smollm2, ignoreMerges: false },
  'gpt-2': { ...preTokenizers.gpt2, ignoreMerges: false },
  default: { ...preTokenizers.gpt2, ignoreMerges: false },
  'llama-bpe': { ...preTokenizers.llama3, ignoreMerges: true },
  qwen2: { ...preTokenizers.qwen2, ignoreMerges: false },
}

interface Splitting {
  steps: readonly SplitStep[]
  nfc: boolean
  ignoreMerges: boolean
}

/**
 * llama.cpp's name of what a vocabulary does, undefined where it has none. That llama.cpp does not bring Qwen's texts
 * to NFC is let pass, as everybody does.
 */
export function ggufPreTokenizer({ splitSteps, ignoreMerges }: Vocabulary): string | undefined {
  return Object.keys(preTokenizersByName).find((name) => {
    const known = preTokenizersByName[name]
    return known.steps.join() === splitSteps.join() && known.ignoreMerges === ignoreMerges
  })
}

/** llama.cpp's token types (llama.h: `enum llama_token_type`) as far as they mean something here. */
export const tokenTypes = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const

const SUPPORTED =
  'Supported are byte-level BPE tokenizers like those of GPT-2, SmolLM2, Llama 3 and Qwen 2 to 3.'

const EOS = 'tokenizer.ggml.eos_token_id'

/** The key of the id that each purpose has in a GGUF file. */
export const tokenPurposes: readonly (readonly [TokenPurpose, string])[] = [
  ['bos_token', 'tokenizer.ggml.bos_token_id'],
  ['eos_token', EOS],
  ['unk_token', 'tokenizer.ggml.unknown_token_id'],
  ['pad_token', 'tokenizer.ggml.padding_token_id'],
]

/**
 * The tokenizer that a GGUF file carries: its vocabulary, merges, special tokens and chat template.
 *
 * @throws SmolforgeError `input` naming file and field: one that is missing, malformed or would give other ids here.
 */
export function readGgufTokenizer(metadata: GgufMetadata): {
  vocabulary: Vocabulary
  configuration: TokenizerConfiguration
} {
  const { steps: splitSteps, nfc, ignoreMerges } = readPreTokenizer(metadata)
  const types = metadata.numbers('tokenizer.ggml.token_type')
  const tokens = usedTokens(metadata, types)
  const ids = new Map<string, number>()
  for (const [id, token] of tokens.entries()) ids.set(token, id)
  if (ids.size !== tokens.length) {
    const id = tokens.findIndex((token, index) => ids.get(token) !== index)
    throw metadata.refusal(
      'tokenizer.ggml.tokens',
      `The token ${JSON.stringify(tokens[id])} is there twice: ${id} and ${ids.get(tokens[id])}`,
    )
  }
  const addedTokens = readAddedTokens(metadata, tokens, types)
  const merges = readMerges(metadata, tokens, ids)
  const configuration: TokenizerConfiguration = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    model_max_length: metadata.number('llama.context_length') ?? 8192,
    chat_template: metadata.text('tokenizer.chat_template') ?? chatMLTemplate(),
  }
  for (const [purpose, key] of tokenPurposes) {
    const id = metadata.number(key)
    if (id === undefined) continue
    if (tokens[id] === undefined)
      throw metadata.refusal(key, `${key} is ${id}, there are ${tokens.length} tokens`)
    configuration[purpose] = tokens[id]
  }
  if (
    configuration.eos_token === undefined &&
    !addedTokens.some(({ content }) => content === '<|endoftext|>')
  ) {
    throw metadata.refusal(EOS, 'The file does not say which token ends a text')
  }
  const affixes = readAffixes(metadata, tokens)
  return {
    vocabulary: { tokens, merges, addedTokens, splitSteps, nfc, ignoreMerges, affixes },
    configuration,
  }
}

function readPreTokenizer(metadata: GgufMetadata): Splitting {
  const model = metadata.text('tokenizer.ggml.model')
  if (model !== 'gpt2') {
    throw metadata.refusal(
      'tokenizer.ggml.model',
      `The tokenizer ${model ?? '(none)'} is not supported`,
      SUPPORTED,
    )
  }
  const name = metadata.text('tokenizer.ggml.pre') ?? 'default'
  if (!Object.hasOwn(preTokenizersByName, name)) {
    throw metadata.refusal('tokenizer.ggml.pre', `The pre-tokenizer ${name} is not supported`, SUPPORTED)
  }
  if (metadata.boolean('tokenizer.ggml.add_space_prefix') === true) {
    throw metadata.refusal('tokenizer.ggml.add_space_prefix', 'A space before every text is not supported')
  }
  return preTokenizersByName[name]
}

/** The tokens around a text: as the file says, and where it says nothing Llama 3's begin token. */
function readAffixes(metadata: GgufMetadata, tokens: readonly string[]): Affixes {
  const isLlama3 = metadata.text('tokenizer.ggml.pre') === 'llama-bpe'
  const id = (flag: string, key: string, otherwise: boolean): number[] => {
    const value = metadata.number(key)
    return (metadata.boolean(flag) ?? otherwise) && value !== undefined ? [value] : []
  }
  const before = id('tokenizer.ggml.add_bos_token', 'tokenizer.ggml.bos_token_id', isLlama3)
  const behind = id('tokenizer.ggml.add_eos_token', EOS, false)
  return { before, behind, json: templateAround(before, behind, tokens) }
}

/** The tokens without those at the end that only fill the embedding up, which are in no `tokenizer.json` either. */
function usedTokens(metadata: GgufMetadata, types: Float64Array | undefined): string[] {
  const key = 'tokenizer.ggml.tokens'
  const tokens = required(metadata, key, metadata.texts(key))
  if (types !== undefined && types.length !== tokens.length) {
    throw metadata.refusal(
      'tokenizer.ggml.token_type',
      `There are ${types.length} token types for ${tokens.length} tokens`,
    )
  }
  let used = tokens.length
  while (used > 0 && types?.[used - 1] === tokenTypes.unused) used--
  return tokens.slice(0, used)
}

function readAddedTokens(
  metadata: GgufMetadata,
  tokens: readonly string[],
  types: Float64Array | undefined,
): AddedToken[] {
  // What ends a text is special, also in a file that has no types or calls it an ordinary token.
  const eos = metadata.number(EOS)
  const added: AddedToken[] = []
  for (const [id, content] of tokens.entries()) {
    const type = id === eos ? tokenTypes.control : types?.[id]
    if (content === '') throw metadata.refusal('tokenizer.ggml.tokens', `Token ${id} is empty`)
    if (type === tokenTypes.control || type === tokenTypes.userDefined) {
      added.push({ ...plainAddedToken, id, content, special: type === tokenTypes.control })
    } else if (!isByteLevel(content)) {
      throw metadata.refusal(
        'tokenizer.ggml.tokens',
        `Token ${id} ${JSON.stringify(content)} is not byte-level`,
      )
    }
  }
  return added
}

/** Merges as `"left right"`, to ids. */
function readMerges(
  metadata: GgufMetadata,
  tokens: readonly string[],
  ids: ReadonlyMap<string, number>,
): Uint32Array {
  const key = 'tokenizer.ggml.merges'
  const pairs = required(metadata, key, metadata.texts(key))
  const merges = new Uint32Array(pairs.length * 3)
  let next = -1
  for (const [rank, pair] of pairs.entries()) {
    const space = pair.indexOf(' ')
    const left = pair.slice(0, space)
    const right = pair.slice(space + 1)
    const leftId = ids.get(left)
    const rightId = ids.get(right)
    // Mostly a merge makes the token after the one that the merge before it made: no text to join and look up.
    const whole = isJoined(tokens[next], left, right) ? next : ids.get(left + right)
    if (space < 1 || leftId === undefined || rightId === undefined || whole === undefined) {
      throw metadata.refusal(
        key,
        `Merge ${rank} ${JSON.stringify(pair)} is no pair of tokens that make a third`,
      )
    }
    merges[rank * 3] = leftId
    merges[rank * 3 + 1] = rightId
    merges[rank * 3 + 2] = whole
    next = whole + 1
  }
  return merges
}

function isJoined(token: string | undefined, left: string, right: string): boolean {
  if (token === undefined || token.length !== left.length + right.length) return false
  return token.startsWith(left) && token.endsWith(right)
}

function required<Value>(metadata: GgufMetadata, key: string, value: Value | undefined): Value {
  if (value === undefined) throw metadata.refusal(key, `The file has no ${key}`)
  return value
}
