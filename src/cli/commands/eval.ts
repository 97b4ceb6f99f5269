import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { SmolforgeError } from '../../errors.ts'
import { type BenchmarkName, benchmarkNames, benchmarkTask, evaluate, type Score } from '../../eval/index.ts'
import { nearestName } from '../../recipe/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { dtypeOption, type EngineOptions, loadModel, modelHelp } from '../modelPath.ts'
import { Output, table } from '../output.ts'
import {
  collect,
  positiveInteger,
  type RecipeOptions,
  runRecipeFile,
  stepsOfKind,
  withRecipeOptions,
} from '../runRecipeFile.ts'

interface EvalOptions extends RecipeOptions, EngineOptions {
  model?: string
  benchmark: string[]
  limit?: number
  chat?: boolean
}

/** `smolforge eval`: the evaluations of a recipe, or public benchmarks on any model. */
export function addEval(program: Command): void {
  const command = withRecipeOptions(program.command('eval'))
  const [recipe] = command.registeredArguments
  recipe.required = false
  command
    .option('--model <path>', `measure this model on public benchmarks instead: ${modelHelp}`)
    .addOption(dtypeOption())
    .option(
      '--benchmark <name=file>',
      `a benchmark's .jsonl or .jsonl.gz: ${benchmarkNames().join(', ')}`,
      collect,
      [],
    )
    .option('--limit <n>', 'only so many items of each benchmark', positiveInteger)
    .option('--chat', 'ask through the chat template')
    .summary('measure the models of a recipe, or any model on benchmarks')
    .description(
      'Every evaluation of a recipe: held-out bits per byte, its own tasks, samples. Or public benchmarks from local ' +
        'files on any model, in the prompts of the SmolLM2 evaluation. Each figure has its 95 % interval.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge eval recipes/tiny.yaml
  smolforge eval --model runs/quickstart --benchmark piqa=piqa.jsonl --limit 200
${exitCodesHelp}`,
    )
    .action(async (file: string | undefined, options: EvalOptions) => {
      const output = new Output(options)
      if (options.model !== undefined) {
        const scores = await scoreBenchmarks(options.model, options)
        for (const { outcomes: _, ...score } of scores) output.emit(score)
        output.say(scoreTable([{ scores }]))
        return
      }
      if (file === undefined) {
        throw new SmolforgeError('usage', 'Name a recipe, or a model with --model and a --benchmark')
      }
      let names: string[] = []
      const { runDir } = await runRecipeFile(file, options, (steps) => {
        names = stepsOfKind(steps, 'evaluate')
        return names
      })
      const groups = await Promise.all(
        names.map(async (step) => ({ step, scores: await readScores(runDir, step) })),
      )
      for (const { step, scores } of groups) {
        for (const { outcomes: _, ...score } of scores) output.emit({ type: 'score', step, ...score })
      }
      output.say(scoreTable(groups))
    })
}

async function scoreBenchmarks(path: string, options: EvalOptions): Promise<Score[]> {
  const { benchmark, limit, chat } = options
  if (benchmark.length === 0)
    throw new SmolforgeError('usage', 'Name a benchmark: --benchmark piqa=piqa.jsonl')
  const tasks = []
  for (const text of benchmark) {
    const equals = text.indexOf('=')
    const name = benchmarkNames().find((known) => known === text.slice(0, equals)) as
      | BenchmarkName
      | undefined
    if (name === undefined) {
      const nearest = nearestName(text.slice(0, equals), benchmarkNames())
      throw new SmolforgeError('usage', `No benchmark is named ${text.slice(0, equals)}`, {
        hint: nearest ? `Did you mean ${nearest}?` : `There are ${benchmarkNames().join(', ')}.`,
      })
    }
    tasks.push(await benchmarkTask(name, text.slice(equals + 1), { limit }))
  }
  return evaluate(await loadModel(path, options), tasks, { chat })
}

async function readScores(runDir: string, step: string): Promise<Score[]> {
  // The run has just checked or written this file.
  return JSON.parse(await readFile(join(runDir, 'steps', step, 'scores.json'), 'utf8')) as Score[]
}

function scoreTable(groups: readonly { step?: string; scores: readonly Score[] }[]): string {
  const rows = groups.flatMap(({ step = '', scores }) =>
    scores.map(({ task, metric, value, low, high, chance, n, form, shots }) => [
      step,
      task,
      metric,
      value.toFixed(3),
      `${low.toFixed(3)}–${high.toFixed(3)}`,
      chance?.toFixed(3) ?? '',
      n,
      `${form}, ${shots} shots`,
    ]),
  )
  return table([['step', 'task', 'metric', 'value', '95 %', 'chance', 'n', 'form'], ...rows])
}
