import { z } from 'zod'
import { SmolforgeError } from '../errors.ts'

/** Text to ids with the marks of its ends, for an encoder; never more than `maxTokens`. */
export interface EncoderTokenizer {
  readonly vocabSize: number
  encode(text: string, maxTokens: number): Uint32Array
}

/**
 * BERT's tokenizer (Devlin et al. 2019; WordPiece: Schuster and Nakajima 2012) from a `tokenizer.json`: ids are those of
 * Hugging Face's tokenizers. Here in TypeScript: the forward pass behind it takes a thousand times as long.
 *
 * @throws SmolforgeError `input` that names the part that is malformed or would give other ids here.
 */
export function readWordPiece(json: unknown, file: string): EncoderTokenizer {
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new SmolforgeError('input', `Not a tokenizer of BERT's kind: ${issue.message}`, {
      place: { file, field: issue.path.join('.') },
    })
  }
  const { normalizer, model, added_tokens } = parsed.data
  const ids = new Map(Object.entries(model.vocab))
  for (const { content, id } of added_tokens) ids.set(content, id)
  const idOf = (token: string): number => {
    const id = ids.get(token)
    if (id !== undefined) return id
    throw new SmolforgeError('input', `The vocabulary has no ${token}`, { place: { file, field: 'model' } })
  }
  const [start, end, unknown] = [idOf('[CLS]'), idOf('[SEP]'), idOf(model.unk_token)]
  const split = added_tokens.length === 0 ? undefined : splitter(added_tokens.map(({ content }) => content))
  const added = new Map(added_tokens.map(({ content, id }) => [content, id]))
  return {
    vocabSize: Math.max(...ids.values()) + 1,
    encode(text, maxTokens) {
      const result: number[] = [start]
      const room = maxTokens - 1
      // No token says so much: what lies behind is not looked at.
      for (const part of splitBy(text.slice(0, 64 * maxTokens), split)) {
        const id = added.get(part)
        if (id !== undefined) result.push(id)
        else {
          for (const word of wordsOf(normalise(part, normalizer))) {
            pushPieces(result, word, ids, unknown, model)
            if (result.length >= room) break
          }
        }
        if (result.length >= room) break
      }
      result.length = Math.min(result.length, room)
      result.push(end)
      return Uint32Array.from(result)
    },
  }
}

const id = z.number().int().nonnegative()
const schema = z.looseObject({
  normalizer: z.looseObject({
    type: z.literal('BertNormalizer'),
    clean_text: z.literal(true),
    handle_chinese_chars: z.boolean(),
    strip_accents: z.boolean().nullish(),
    lowercase: z.boolean(),
  }),
  pre_tokenizer: z.looseObject({ type: z.literal('BertPreTokenizer') }),
  model: z.looseObject({
    type: z.literal('WordPiece').default('WordPiece'),
    vocab: z.record(z.string(), id),
    unk_token: z.string().default('[UNK]'),
    continuing_subword_prefix: z.string().default('##'),
    max_input_chars_per_word: z.number().int().positive().default(100),
  }),
  added_tokens: z
    .array(z.looseObject({ id, content: z.string().min(1), normalized: z.literal(false).default(false) }))
    .default([]),
})

type Normalizer = z.infer<typeof schema>['normalizer']
type Model = z.infer<typeof schema>['model']

function splitter(contents: readonly string[]): RegExp {
  const longestFirst = [...contents].sort((a, b) => b.length - a.length)
  return new RegExp(`(${longestFirst.map((one) => one.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|')})`)
}

const splitBy = (text: string, split: RegExp | undefined): string[] =>
  split === undefined ? [text] : text.split(split)

const CONTROL = /[\p{C}\uFFFD]/gu
const SPACE = /[\t\n\r\p{Z}]/gu
const HAN =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu
// All that is neither letter, digit nor control among ASCII counts as punctuation, `$` and `+` too.
const WORD = /[!-/:-@[-`{-~\p{P}]|[^\p{Z}\t\n\v\f\r\u0085!-/:-@[-`{-~\p{P}]+/gu

function normalise(text: string, { handle_chinese_chars, strip_accents, lowercase }: Normalizer): string {
  let result = text.replace(SPACE, ' ').replace(CONTROL, '')
  if (handle_chinese_chars) result = result.replace(HAN, ' $& ')
  if (strip_accents ?? lowercase) result = result.normalize('NFD').replace(/\p{Mn}/gu, '')
  // Character by character: no rule for the end of Greek words.
  return lowercase ? result.replaceAll('Σ', 'σ').toLowerCase() : result
}

const wordsOf = (text: string): string[] => text.match(WORD) ?? []

/** The longest known piece from the left, again and again; a word with a part that is not known is unknown as a whole. */
function pushPieces(
  result: number[],
  word: string,
  ids: ReadonlyMap<string, number>,
  unknown: number,
  { continuing_subword_prefix, max_input_chars_per_word }: Model,
): void {
  const characters = [...word]
  const pieces: number[] = []
  if (characters.length > max_input_chars_per_word) {
    result.push(unknown)
    return
  }
  for (let from = 0; from < characters.length; ) {
    let to = characters.length
    let id: number | undefined
    for (; to > from; to--) {
      const piece = characters.slice(from, to).join('')
      id = ids.get(from === 0 ? piece : continuing_subword_prefix + piece)
      if (id !== undefined) break
    }
    if (id === undefined) {
      result.push(unknown)
      return
    }
    pieces.push(id)
    from = to
  }
  for (const piece of pieces) result.push(piece)
}
