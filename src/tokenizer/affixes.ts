/** What a post-processor puts around the ids of a text, such as a `<|begin_of_text|>` before it. */
export interface Affixes {
  before: readonly number[]
  behind: readonly number[]
  /** The `post_processor` as it was read. */
  json: unknown
}

const none = { before: [], behind: [] }

/** The ids around a text by a `post_processor` of Hugging Face's, or what of it is not understood. */
export function readAffixes(part: unknown): Affixes | { notUnderstood: string } {
  const read = around(part)
  return 'notUnderstood' in read ? read : { ...read, json: part }
}

/** The `post_processor` that puts these ids around a text; null for none. */
export function templateAround(
  before: readonly number[],
  behind: readonly number[],
  tokens: readonly string[],
): unknown {
  if (before.length + behind.length === 0) return null
  const piece = (id: number) => ({ SpecialToken: { id: tokens[id], type_id: 0 } })
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } })
  const ids = [...before, ...behind]
  return {
    type: 'TemplateProcessing',
    single: [...before.map(piece), sequence('A'), ...behind.map(piece)],
    pair: [sequence('A'), sequence('B')],
    special_tokens: Object.fromEntries(
      ids.map((id) => [tokens[id], { id: tokens[id], ids: [id], tokens: [tokens[id]] }]),
    ),
  }
}

type Around = { before: number[]; behind: number[] } | { notUnderstood: string }

function around(part: unknown): Around {
  if (part === undefined || part === null) return { ...none }
  if (!isRecord(part)) return { notUnderstood: `post_processor ${JSON.stringify(part)}` }
  switch (part.type) {
    case 'ByteLevel':
      return { ...none }
    case 'TemplateProcessing':
      return template(part)
    case 'BertProcessing':
    case 'RobertaProcessing':
      return pair(part)
    case 'Sequence': {
      const whole: Around = { before: [], behind: [] }
      for (const one of Array.isArray(part.processors) ? part.processors : []) {
        const read = around(one)
        if ('notUnderstood' in read) return read
        whole.before.unshift(...read.before)
        whole.behind.push(...read.behind)
      }
      return whole
    }
    default:
      return { notUnderstood: `post_processor ${JSON.stringify(part.type)}` }
  }
}

function template(part: Record<string, unknown>): Around {
  const notUnderstood = { notUnderstood: `TemplateProcessing ${JSON.stringify(part.single)}`.slice(0, 200) }
  const before: number[] = []
  const behind: number[] = []
  let seen = false
  for (const piece of Array.isArray(part.single) ? (part.single as unknown[]) : []) {
    if (isRecord(piece) && isRecord(piece.Sequence) && piece.Sequence.id === 'A' && !seen) {
      seen = true
      continue
    }
    const name = isRecord(piece) && isRecord(piece.SpecialToken) ? piece.SpecialToken.id : undefined
    const token =
      typeof name === 'string' && isRecord(part.special_tokens) ? part.special_tokens[name] : undefined
    if (!isRecord(token) || !Array.isArray(token.ids) || !token.ids.every(isId)) return notUnderstood
    ;(seen ? behind : before).push(...token.ids)
  }
  return seen ? { before, behind } : notUnderstood
}

/** `cls` before and `sep` behind, each as `[token, id]`. */
function pair(part: Record<string, unknown>): Around {
  const id = (value: unknown): unknown => (Array.isArray(value) ? value[1] : undefined)
  const [before, behind] = [id(part.cls), id(part.sep)]
  if (!isId(before) || !isId(behind)) return { notUnderstood: `${String(part.type)} without cls and sep` }
  return { before: [before], behind: [behind] }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31
}
