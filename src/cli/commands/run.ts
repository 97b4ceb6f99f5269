import type { Command } from 'commander'
import { exitCodesHelp } from '../exitCodes.ts'
import { type RecipeOptions, runRecipeFile, withRecipeOptions } from '../runRecipeFile.ts'

/** `smolforge run RECIPE`: all steps of a recipe. */
export function addRun(program: Command): void {
  withRecipeOptions(program.command('run'))
    .summary('do a whole recipe, or what is missing of it')
    .description(
      'Does every step of a recipe that is not done yet, in the folder of the run. What is finished is kept; after a ' +
        'change of the recipe only the steps that depend on it are done again. Ctrl-C saves and stops.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge run recipes/tiny.yaml
  smolforge run recipes/quickstart.yaml --run runs/try --set stages.0.tokens=2M --set model.hiddenSize=96
  smolforge run recipes/tiny.yaml --json | jq 'select(.type == "step-done") | .step'
${exitCodesHelp}`,
    )
    .action(async (recipe: string, options: RecipeOptions) => {
      await runRecipeFile(recipe, options)
    })
}
