// Writes recipes/recipe.schema.json, the JSON Schema of a recipe for editors, from the compiled schema.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildTypeScript, root } from './steps.mjs'

buildTypeScript()
const { recipeJsonSchema } = await import(join(root, 'dist/index.js'))
writeFileSync(join(root, 'recipes/recipe.schema.json'), recipeJsonSchema())
