import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'
import { chatMLTemplate } from './chat.ts'
import type { Vocabulary } from './vocabulary.ts'

/** What `tokenizer_config.json` says beyond the ids. Fields we know nothing of are kept as they are. */
export type TokenizerConfiguration = Record<string, unknown>

const END_OF_TEXT = '<|endoftext|>'

/** The tokens a configuration names by purpose. */
export type TokenPurpose = 'bos_token' | 'eos_token' | 'unk_token' | 'pad_token'

/**
 * The configuration of a base model's tokenizer: texts end with `<|endoftext|>`, or the first special token there is.
 */
export function baseConfiguration(specialTokens: readonly string[]): TokenizerConfiguration {
  const end = specialTokens.includes(END_OF_TEXT) ? END_OF_TEXT : specialTokens[0]
  const purposes = { bos_token: end, eos_token: end, unk_token: end, pad_token: end }
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    ...(end === undefined ? {} : purposes),
    model_max_length: 8192,
    chat_template: chatMLTemplate(),
  }
}

/** What changes for a chat model, as in SmolLM2-Instruct: turns end with `<|im_end|>`, and so does an answer. */
export function chatConfiguration(
  base: TokenizerConfiguration,
  systemPrompt: string | undefined,
): TokenizerConfiguration {
  return {
    ...base,
    bos_token: '<|im_start|>',
    eos_token: '<|im_end|>',
    pad_token: '<|im_end|>',
    chat_template: chatMLTemplate(systemPrompt),
  }
}

/**
 * The configuration beside a `tokenizer.json`; a base model's where there is none.
 * A `chat_template.jinja` goes before the template in the configuration, as in transformers.
 *
 * @throws SmolforgeError `input` when a file is there but malformed.
 */
export async function readConfiguration(dir: string): Promise<TokenizerConfiguration> {
  const path = join(dir, 'tokenizer_config.json')
  const text = await readOptional(path)
  let configuration: TokenizerConfiguration = {}
  if (text !== undefined) {
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch (cause) {
      throw new SmolforgeError('input', 'Not a JSON file', { place: { file: path }, cause })
    }
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new SmolforgeError('input', 'The tokenizer configuration is no object', { place: { file: path } })
    }
    configuration = { ...json }
  }
  const template =
    (await readOptional(join(dir, 'chat_template.jinja'))) ?? configuredTemplate(configuration, path)
  return { ...configuration, chat_template: template ?? chatMLTemplate() }
}

/** The text of a token by its purpose, `{"content": ...}` or plain; undefined where there is none. */
export function configuredToken(
  configuration: TokenizerConfiguration,
  purpose: TokenPurpose,
): string | undefined {
  const value = configuration[purpose]
  if (typeof value === 'string') return value
  if (
    typeof value === 'object' &&
    value !== null &&
    'content' in value &&
    typeof value.content === 'string'
  ) {
    return value.content
  }
  return undefined
}

/** The files beside `tokenizer.json`, by name. */
export function configurationFiles(
  vocabulary: Vocabulary,
  configuration: TokenizerConfiguration,
): Record<string, string> {
  const special = vocabulary.addedTokens.filter((token) => token.special)
  const purposes: readonly TokenPurpose[] = ['bos_token', 'eos_token', 'unk_token', 'pad_token']
  const named = Object.fromEntries(
    purposes
      .map((purpose) => [purpose, configuredToken(configuration, purpose)] as const)
      .filter((entry) => entry[1] !== undefined),
  )
  const additional = special.map((token) => token.content)
  const whole = {
    ...configuration,
    added_tokens_decoder: Object.fromEntries(
      vocabulary.addedTokens.map(({ id, content, special, normalized, lstrip, rstrip, singleWord }) => [
        id,
        { content, lstrip, rstrip, single_word: singleWord, normalized, special },
      ]),
    ),
    additional_special_tokens: additional,
  }
  return {
    'tokenizer_config.json': `${JSON.stringify(whole, null, 2)}\n`,
    'special_tokens_map.json': `${JSON.stringify({ ...named, additional_special_tokens: additional }, null, 2)}\n`,
  }
}

/** One template, or of several named ones the default. */
function configuredTemplate(configuration: TokenizerConfiguration, file: string): string | undefined {
  const value = configuration.chat_template
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  const named = Array.isArray(value) ? (value as unknown[]) : []
  for (const entry of named) {
    if (typeof entry !== 'object' || entry === null || !('name' in entry) || entry.name !== 'default')
      continue
    if ('template' in entry && typeof entry.template === 'string') return entry.template
  }
  throw new SmolforgeError('input', 'The chat template is neither a text nor a list with a default', {
    place: { file, field: 'chat_template' },
  })
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw fileError(error, path)
  }
}
