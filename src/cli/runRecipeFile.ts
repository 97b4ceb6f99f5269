import { dirname, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { SmolforgeError } from '../errors.ts'
import {
  loadRecipe,
  planRecipe,
  type RunOptions,
  type RunOutcome,
  runRecipe,
  type Step,
} from '../recipe/index.ts'
import { writeReport } from '../report/index.ts'
import { Output } from './output.ts'
import { ProgressView } from './progressView.ts'
import { stopBySignal } from './signals.ts'

export interface RecipeOptions {
  run?: string
  set: string[]
  threads?: number
  cache?: string
  json?: boolean
}

/** The options of every command that does a part of a recipe. */
export function withRecipeOptions(command: Command, argument = '<recipe>'): Command {
  return command
    .argument(argument, 'a recipe file, for example recipes/quickstart.yaml')
    .option(
      '--run <dir>',
      'folder of the run: made, or gone on with (default runs/ and the name of the recipe)',
    )
    .option('--set <path=value>', 'override a field: --set stages.0.tokens=2M (more than once)', collect, [])
    .option(
      '--threads <n>',
      'threads of the kernels (default: what the recipe says, else all)',
      positiveInteger,
    )
    .option('--cache <dir>', 'where downloads are kept (default .cache)')
    .option('--json', 'one JSON object a line on standard output, nothing else there')
}

/** Does the steps of a recipe file up to those that `until` names (all when it is left out), shown on the terminal. */
export async function runRecipeFile(
  file: string,
  options: RecipeOptions,
  until?: (steps: readonly Step[]) => string[],
): Promise<RunOutcome> {
  const output = new Output(options)
  const { recipe, text } = await loadRecipe(file, options.set)
  const baseDir = dirname(resolve(file))
  const wanted = until?.(await planRecipe(recipe, baseDir))
  return watchRun(output, ({ stop, onEvent }) =>
    runRecipe(recipe, {
      runDir: options.run,
      baseDir,
      cacheDir: options.cache,
      threads: options.threads,
      until: wanted,
      recipeText: text,
      recipeFile: relative('.', file),
      writeReport,
      stop,
      onEvent,
    }),
  )
}

/** Shows a run on the terminal while it works; a signal stops it, and the error says how to go on. */
export async function watchRun<Outcome>(
  output: Output,
  run: (watch: Pick<RunOptions, 'stop' | 'onEvent'>) => Promise<Outcome>,
): Promise<Outcome> {
  const view = new ProgressView(output)
  const signals = stopBySignal((line) => {
    view.end()
    output.say(line)
  })
  try {
    return await run({ stop: signals.stop, onEvent: view.show })
  } catch (error) {
    if (error instanceof SmolforgeError && error.code === 'interrupted') {
      throw new SmolforgeError('interrupted', error.message, {
        place: error.place,
        hint: `Go on with: ${thisCommand()}`,
      })
    }
    throw error
  } finally {
    view.end()
    signals.release()
  }
}

/** The command as it was typed, for a person to type again. */
export const thisCommand = () => `smolforge ${process.argv.slice(2).map(quoted).join(' ')}`

/** Names of the plan's steps of some kinds. */
export function stepsOfKind(steps: readonly Step[], ...kinds: string[]): string[] {
  const names = steps.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name)
  if (names.length > 0) return names
  throw new SmolforgeError('recipe', `This recipe has no step of kind ${kinds.join(' or ')}`, {
    hint: 'Add its section to the recipe; docs/recipe.md lists them.',
  })
}

export function positiveInteger(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new SmolforgeError('usage', `${text} is not a whole number above 0`)
}

export function number(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw new SmolforgeError('usage', `${text} is not a number`)
}

export function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

const quoted = (argument: string) =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`
