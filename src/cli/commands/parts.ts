import { join } from 'node:path'
import type { Command } from 'commander'
import type { Step } from '../../recipe/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { Output } from '../output.ts'
import { type RecipeOptions, runRecipeFile, stepsOfKind, withRecipeOptions } from '../runRecipeFile.ts'

interface Part {
  name: string
  summary: string
  description: string
  until(steps: readonly Step[]): string[]
  /** What to look at afterwards. */
  result(runDir: string): string
}

const parts: readonly Part[] = [
  {
    name: 'pretrain',
    summary: 'train the base model, all stages',
    description:
      'Everything up to the last stage of pretraining, with the evaluations and mixtures between stages.',
    until: (steps) => stepsOfKind(steps, 'pretrain'),
    result: (runDir) => `The base model is ${join(runDir, 'model')}`,
  },
  {
    name: 'refine',
    summary: 'decide the mixtures of the later stages',
    description:
      'Everything up to the last mixture decision; each has its reasons and its evidence in the ledger.',
    until: (steps) => stepsOfKind(steps, 'refine'),
    result: (runDir) => `The decisions are in ${join(runDir, 'ledger.jsonl')}`,
  },
  {
    name: 'ablate',
    summary: 'try a candidate set by annealing',
    description: 'Decays one checkpoint with and without the candidate of the recipe, and compares the two.',
    until: (steps) => stepsOfKind(steps, 'ablate'),
    result: (runDir) => `The comparison is ${join(runDir, 'steps/ablate/ablation.json')}`,
  },
  {
    name: 'sft',
    summary: 'tune the base model to conversations',
    description: 'Everything up to supervised fine-tuning on conversations made from the corpus.',
    until: (steps) => stepsOfKind(steps, 'sft'),
    result: (runDir) => `The chat model is ${join(runDir, 'steps/sft/model')}`,
  },
  {
    name: 'dpo',
    summary: 'tune the chat model to preferences',
    description: 'Everything up to direct preference optimization on generated pairs.',
    until: (steps) => stepsOfKind(steps, 'dpo'),
    result: (runDir) => `The model is ${join(runDir, 'steps/dpo/model')}`,
  },
]

/** Commands that do a recipe up to one of its parts, in the same folder as `run` does. */
export function addParts(program: Command): void {
  for (const part of parts) {
    withRecipeOptions(program.command(part.name))
      .summary(part.summary)
      .description(`${part.description} It shares the folder of the run with the other commands.`)
      .addHelpText('after', `\nExample:\n  smolforge ${part.name} recipes/tiny.yaml\n${exitCodesHelp}`)
      .action(async (recipe: string, options: RecipeOptions) => {
        const { runDir } = await runRecipeFile(recipe, options, (steps) => part.until(steps))
        new Output(options).say(part.result(runDir))
      })
  }
}
