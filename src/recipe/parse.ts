import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import {
  type Document,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  parse as parseYaml,
} from 'yaml'
import type { z } from 'zod'
import { fileError, SmolforgeError } from '../errors.ts'
import { checkRecipe } from './checks.ts'
import { type RecipeIssue, recipeError } from './issues.ts'
import { nearestName } from './nearest.ts'
import { type Recipe, recipeSchema } from './schema.ts'
import { fieldNamesAt } from './schemaFields.ts'

export interface ParseOptions {
  /** Name of the file for messages. */
  file?: string
  /** Overrides like `stages.0.tokens=2M`, applied in order on top of the text. */
  overrides?: readonly string[]
}

/**
 * Reads a recipe's YAML file.
 *
 * @throws SmolforgeError `recipe` that lists everything that is wrong, `input` when the file cannot be read.
 */
export async function loadRecipe(
  file: string,
  overrides: readonly string[] = [],
): Promise<{ recipe: Recipe; text: string }> {
  const text = await readFile(file, 'utf8').catch(async (error) => {
    throw await unreadable(error, file)
  })
  return { recipe: parseRecipe(text, { file, overrides }), text }
}

/** With the nearest name in the same folder where there is no such file. */
async function unreadable(error: unknown, file: string): Promise<unknown> {
  const explained = fileError(error, file)
  if (!(explained instanceof SmolforgeError) || explained.code !== 'input') return explained
  const names = await readdir(dirname(file)).catch(() => [])
  const nearest = nearestName(basename(file), names)
  const hint = nearest && `Did you mean ${join(dirname(file), nearest)}?`
  return new SmolforgeError('input', explained.message, { place: { file }, hint, cause: error })
}

/** Reads a recipe from YAML (or JSON) text: every problem at once, with line, column, path and the nearest name. */
export function parseRecipe(text: string, options: ParseOptions = {}): Recipe {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const syntax = document.errors.map((error): RecipeIssue => {
    const { line, col } = lines.linePos(error.pos[0])
    return { path: [], message: firstLine(error.message), line, column: col }
  })
  if (syntax.length > 0) throw recipeError(syntax, options.file)
  const overrides = (options.overrides ?? []).map(parseOverride)
  const tree: unknown = document.toJS() ?? {}
  for (const override of overrides) applyOverride(tree, override)

  const issues = findIssues(tree).map((issue) => locate(issue, document, lines, overrides))
  if (issues.length > 0) throw recipeError(issues.sort(byPlace), options.file)
  return recipeSchema.parse(tree)
}

/** What is wrong with the shape, and with the meaning of all that has the right shape. */
function findIssues(tree: unknown): RecipeIssue[] {
  const parsed = recipeSchema.safeParse(tree)
  const shape = parsed.success ? [] : parsed.error.issues.flatMap((issue) => explainIssue(issue, tree))
  const meaning = checkRecipe(parsed.success ? parsed.data : tree)
  const broken = new Set(shape.map(({ path }) => path.join('.')))
  return [...shape, ...meaning.filter(({ path }) => !broken.has(path.join('.')))]
}

function explainIssue(issue: z.core.$ZodIssue, tree: unknown): RecipeIssue[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: 'unknown field',
      nearest: nearestName(key, fieldNamesAt(recipeSchema, path)),
    }))
  }
  const value = valueAt(tree, path)
  if (value === undefined && issue.code !== 'custom') return [{ path, message: 'is missing' }]
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String)
    const nearest = typeof value === 'string' ? nearestName(value, allowed) : undefined
    return [{ path, message: `${show(value)} is not one of ${allowed.join(', ')}`, nearest }]
  }
  if (issue.code === 'invalid_union') return explainUnion(issue, path, value, tree)
  if (issue.code === 'invalid_type') {
    return [{ path, message: `expected ${article(issue.expected)}, found ${show(value)}` }]
  }
  if (issue.code === 'too_small' && issue.origin === 'array') {
    return [{ path, message: `needs ${issue.minimum} or more entries` }]
  }
  return [
    {
      path,
      message: issue.code === 'custom' ? issue.message : `${show(value)}: ${lowerFirst(issue.message)}`,
    },
  ]
}

/** Of several forms, the one the person meant is the one with the deepest complaint. */
function explainUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  path: string[],
  value: unknown,
  tree: unknown,
): RecipeIssue[] {
  const forms = issue.errors.map((errors) =>
    errors.map((error) => ({ ...error, path: [...issue.path, ...error.path] })),
  )
  const meant = forms.find((errors) =>
    errors.every((error) => error.path.length > path.length || error.code === 'unrecognized_keys'),
  )
  if (meant && typeof value === 'object') return meant.flatMap((error) => explainIssue(error, tree))
  return [
    {
      path,
      message: `${show(value)}: ${lowerFirst(issue.message)}`,
    },
  ]
}

interface Override {
  text: string
  path: string[]
  value: unknown
}

function parseOverride(text: string): Override {
  const equals = text.indexOf('=')
  const path = text.slice(0, equals).trim().split('.')
  if (equals < 1 || path.some((part) => part === '' || part === '__proto__')) {
    throw new SmolforgeError('usage', `--set ${text} is not of the form path=value`, {
      hint: 'For example: --set stages.0.tokens=2M',
    })
  }
  let value: unknown
  try {
    value = parseYaml(text.slice(equals + 1))
  } catch {
    value = text.slice(equals + 1)
  }
  return { text, path, value }
}

/** Sets a value by its path and makes what is missing on the way. */
function applyOverride(tree: unknown, { text, path, value }: Override): void {
  let at = tree
  for (const [depth, part] of path.entries()) {
    if (typeof at !== 'object' || at === null) throw unreachable(text, path.slice(0, depth))
    if (Array.isArray(at) && !(/^\d+$/.test(part) && Number(part) <= at.length)) {
      throw unreachable(text, path.slice(0, depth), `has the entries 0 to ${at.length - 1}, not ${part}`)
    }
    const holder = at as Record<string, unknown>
    if (depth === path.length - 1) holder[part] = value
    else {
      // A list is made where the next part is a number and nothing is there yet.
      holder[part] ??= /^\d+$/.test(path[depth + 1] ?? '') ? [] : {}
      at = holder[part]
    }
  }
}

function unreachable(
  text: string,
  path: readonly string[],
  why = 'has no fields of its own',
): SmolforgeError {
  return new SmolforgeError('recipe', `--set ${text}: ${path.join('.') || 'the recipe'} ${why}`)
}

/** Where in the text a path is: its own key, or the nearest enclosing thing that is written there. */
function locate(
  issue: RecipeIssue,
  document: Document,
  lines: LineCounter,
  overrides: readonly Override[],
): RecipeIssue {
  const override = overrides.findLast(
    ({ path }) => startsWith(issue.path, path) || startsWith(path, issue.path),
  )
  const isFromOverride =
    override && (startsWith(issue.path, override.path) || offsetOf(document, issue.path) === undefined)
  if (isFromOverride) return { ...issue, override: override.text }
  for (let depth = issue.path.length; depth >= 0; depth--) {
    const offset = offsetOf(document, issue.path.slice(0, depth))
    if (offset === undefined) continue
    const { line, col } = lines.linePos(offset)
    return { ...issue, line, column: col }
  }
  return issue
}

function offsetOf(document: Document, path: readonly string[]): number | undefined {
  if (path.length === 0) return document.contents?.range?.[0]
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const name = path[path.length - 1]
  if (isMap(parent)) {
    const pair = parent.items.find(
      (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === name,
    )
    if (pair && isScalar(pair.key)) return pair.key.range?.[0]
    return undefined
  }
  if (isCollection(parent)) {
    const node: unknown = parent.get(Number(name), true)
    const range = (node as { range?: [number, number, number] } | undefined)?.range
    return range?.[0]
  }
  return undefined
}

function startsWith(path: readonly string[], prefix: readonly string[]): boolean {
  return prefix.length <= path.length && prefix.every((part, i) => path[i] === part)
}

function byPlace(a: RecipeIssue, b: RecipeIssue): number {
  return (a.line ?? Infinity) - (b.line ?? Infinity) || (a.column ?? 0) - (b.column ?? 0)
}

function valueAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[part] : undefined),
    tree,
  )
}

function show(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

const article = (type: string) =>
  ({ int: 'a whole number', object: 'an object', record: 'an object', array: 'a list', tuple: 'a list' })[
    type
  ] ?? `a ${type}`

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)
const firstLine = (text: string) => text.split('\n', 1)[0]?.replace(/:$/, '') ?? text
