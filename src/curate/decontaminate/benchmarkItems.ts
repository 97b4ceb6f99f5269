import { basename } from 'node:path'
import { readLines } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'

/** One question, problem or passage of a benchmark: the strings of its line that a document could hold. */
export interface BenchmarkItem {
  /** `gsm8k:17`: the file and the item's own id, or its line. */
  id: string
  file: string
  line: number
  /** In the order of the line: a question before its answer. */
  texts: string[]
}

/**
 * Reads benchmark items from JSON lines of any form, plain, gzip or zstd: every string of a line is a text of its item,
 * however deep it lies, but for names, categories and numbers of items. `fields` names the ones to take instead.
 *
 * @throws SmolforgeError `input` at a line that is no JSON object, or when a file has no text in these fields.
 */
export async function readBenchmarkItems(path: string, fields?: readonly string[]): Promise<BenchmarkItem[]> {
  const name = basename(path).replace(/\.(jsonl|ndjson)(\.(gz|zst))?$/, '')
  const items: BenchmarkItem[] = []
  for await (const lines of readLines(path)) {
    for (const { text, line } of lines) {
      if (text.trim() === '') continue
      const value = parseObject(line === 1 ? text.replace(/^\uFEFF/, '') : text, path, line)
      const texts: string[] = []
      for (const [field, inner] of Object.entries(value)) {
        if (fields ? fields.includes(field) : !isLabel(field)) collectStrings(inner, texts)
      }
      items.push({ id: `${name}:${ownId(value) ?? line}`, file: path, line, texts })
    }
  }
  if (items.every(({ texts }) => texts.length === 0)) {
    const where = fields ? ` in the fields ${fields.join(', ')}` : ''
    throw new SmolforgeError('input', `No benchmark item with text${where}`, { place: { file: path } })
  }
  return items
}

/** Fields that say what an item is, not what it asks. */
const LABELS =
  /^(_.*|id|.*_id|.*_id_list|idx|ind|index|key|subset|subject|category|type|level|name|labels?|source|split|urls?|lang|language|model|metadata|meta|kwargs|gold|tags?|entry_point|function|answerKey)$/

const isLabel = (field: string) => LABELS.test(field)

function collectStrings(value: unknown, texts: string[]): void {
  if (typeof value === 'string') texts.push(value)
  else if (Array.isArray(value)) for (const inner of value) collectStrings(inner, texts)
  else if (typeof value === 'object' && value !== null) {
    for (const [field, inner] of Object.entries(value)) if (!isLabel(field)) collectStrings(inner, texts)
  }
}

function ownId(value: Record<string, unknown>): string | number | undefined {
  for (const field of ['id', 'task_id', 'question_id', 'key']) {
    const id = value[field]
    if (typeof id === 'string' || typeof id === 'number') return id
  }
  return undefined
}

function parseObject(text: string, file: string, line: number): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new SmolforgeError('input', `Not a JSON object: ${text.slice(0, 60)}`, { place: { file, line } })
}
