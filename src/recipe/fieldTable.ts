import { z } from 'zod'
import { recipeSchema } from './schema.ts'

interface JsonSchema {
  type?: string
  description?: string
  default?: unknown
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  anyOf?: JsonSchema[]
}

/** Every field of a recipe as rows of a Markdown table: path, default and meaning. docs/recipe.md holds them. */
export function recipeFieldTable(): string {
  // From what a person writes: `required` is what has no default.
  const schema = z.toJSONSchema(recipeSchema, { io: 'input', target: 'draft-7' }) as JsonSchema
  const rows = fieldRows(schema, '')
  return ['| field | default | meaning |', '| --- | --- | --- |', ...rows].join('\n')
}

function fieldRows(schema: JsonSchema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = prefix + name
    const inner = innerObjects(field)
    const below = inner.flatMap((one) => fieldRows(one, `${path}.${field.type === 'array' ? 'N.' : ''}`))
    const value = inner.length > 0 ? '' : defaultOf(field, schema.required?.includes(name) ?? false)
    const meaning = (field.description ?? '').replaceAll('|', '\\|')
    return [`| \`${path}\` | ${value} | ${meaning} |`, ...below]
  })
}

function innerObjects(field: JsonSchema): JsonSchema[] {
  return [field, field.items, ...(field.anyOf ?? [])].filter(
    (one) => one?.properties !== undefined,
  ) as JsonSchema[]
}

function defaultOf(field: JsonSchema, required: boolean): string {
  if (field.default !== undefined) return `\`${JSON.stringify(field.default).replaceAll('|', '\\|')}\``
  return required ? 'needed' : ''
}
