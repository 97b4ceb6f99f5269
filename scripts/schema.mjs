// Writes what follows from the schema of a recipe: recipes/recipe.schema.json for editors, the fields in docs/recipe.md.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildTypeScript, root, run } from './steps.mjs'

buildTypeScript()
const { recipeFieldTable, recipeJsonSchema } = await import(pathToFileURL(join(root, 'dist/index.js')))
writeFileSync(join(root, 'recipes/recipe.schema.json'), recipeJsonSchema())
const page = join(root, 'docs/recipe.md')
const text = readFileSync(page, 'utf8')
const table = `npm run schema -->\n\n${recipeFieldTable()}\n\n<!-- end of fields`
writeFileSync(
  page,
  text.replace(/npm run schema -->[\s\S]*<!-- end of fields/, () => table),
)
run('formatting', process.execPath, [
  'node_modules/@biomejs/biome/bin/biome',
  'format',
  '--write',
  'docs/recipe.md',
])
