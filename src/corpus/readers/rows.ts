import type { FoundText } from './reader.ts'

const MAX_META_CHARACTERS = 300

/** A row of a JSON-lines or Parquet file as a text, without its file; or why it is none. */
export type RowText = Pick<FoundText, 'text' | 'url' | 'meta' | 'own'> | { failure: string }

/**
 * Takes the text of a row from `textField`, `url` as the address, and short values, also those of an inner `meta`, as
 * what else is known. What a document of ours says of itself (id, source, licence, language, scores) is kept aside.
 */
export function textOfRow(value: unknown, textField: string): RowText {
  if (typeof value !== 'object' || value === null) return { failure: `no object with a "${textField}"` }
  const row = value as Record<string, unknown>
  const { [textField]: text, url, meta: inner, scores: measured, ...rest } = row
  if (typeof text !== 'string') return { failure: `no object with a "${textField}"` }
  const nested = objectIn(inner) ?? {}
  const meta: NonNullable<FoundText['meta']> = {}
  for (const [key, field] of [...Object.entries(nested), ...Object.entries(rest)]) {
    if (key === '__proto__') continue
    if (typeof field === 'number' || typeof field === 'boolean') meta[key] = field
    else if (typeof field === 'bigint') meta[key] = Number(field)
    else if (field instanceof Date && !Number.isNaN(field.valueOf())) meta[key] = field.toISOString()
    else if (typeof field === 'string' && field.length <= MAX_META_CHARACTERS) meta[key] = field
  }
  const scores = Object.entries(objectIn(measured) ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  )
  const own = {
    id: asText(row.id),
    source: asText(row.source),
    licence: asText(row.licence) ?? asText(row.license),
    language: asText(row.language),
    scores: scores.length > 0 ? Object.fromEntries(scores) : undefined,
  }
  return { text, url: asText(url), meta, own }
}

const asText = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)

/** An object, or one that is written as JSON in a cell of a Parquet file. */
function objectIn(value: unknown): Record<string, unknown> | undefined {
  if (typeof value === 'string' && value.startsWith('{')) {
    try {
      return objectIn(JSON.parse(value))
    } catch {
      return undefined
    }
  }
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}
