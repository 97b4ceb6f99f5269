import { checkRecipe } from './checks.ts'
import { recipeError } from './issues.ts'
import { type Recipe, type RecipeInput, recipeSchema } from './schema.ts'

/**
 * A recipe written in TypeScript: the same fields, defaults and checks as in YAML, with types while writing.
 *
 * @throws SmolforgeError `recipe` that lists everything that is wrong.
 */
export function defineRecipe(input: RecipeInput): Recipe {
  const parsed = recipeSchema.safeParse(input)
  if (!parsed.success) {
    throw recipeError(parsed.error.issues.map(({ path, message }) => ({ path: path.map(String), message })))
  }
  const problems = checkRecipe(parsed.data)
  if (problems.length > 0) throw recipeError(problems)
  return parsed.data
}
