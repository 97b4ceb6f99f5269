import { SmolforgeError } from '../errors.ts'

/** One thing that is wrong with a recipe, at a path like `['stages', '0', 'tokens']`. */
export interface RecipeIssue {
  path: readonly string[]
  message: string
  /** The nearest right name. */
  nearest?: string
  line?: number
  column?: number
  /** The `--set` that brought it in, where it is not in the file. */
  override?: string
}

/** One error that lists all issues, each on a line: place, path, what is wrong, the nearest right name. */
export function recipeError(issues: readonly RecipeIssue[], file?: string): SmolforgeError {
  const lines = issues.map((issue) => `  ${formatIssue(issue, file)}`)
  const count = issues.length === 1 ? 'one problem' : `${issues.length} problems`
  return new SmolforgeError('recipe', `The recipe has ${count}:\n${lines.join('\n')}`, {
    hint: 'docs/recipe.md lists every field; editors complete them from recipes/recipe.schema.json.',
  })
}

function formatIssue({ path, message, nearest, line, column, override }: RecipeIssue, file?: string): string {
  const place = override
    ? `--set ${override}: `
    : line === undefined
      ? ''
      : `${[file, line, column].filter((part) => part !== undefined).join(':')}: `
  const where = path.length > 0 ? `${path.join('.')}: ` : ''
  return `${place}${where}${message}${nearest ? ` (did you mean ${nearest}?)` : ''}`
}
