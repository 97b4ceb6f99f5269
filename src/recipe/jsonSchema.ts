import { z } from 'zod'
import { recipeSchema } from './schema.ts'

/** The JSON Schema of what a person writes, for editors: recipes/recipe.schema.json is this text. */
export function recipeJsonSchema(): string {
  const schema = z.toJSONSchema(recipeSchema, { io: 'input', target: 'draft-7' })
  return `${JSON.stringify({ ...schema, title: 'smolforge recipe' }, null, 2)}\n`
}
