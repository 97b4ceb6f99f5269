import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addChat } from './commands/chat.ts'
import { addClassifier } from './commands/classifier.ts'
import { addCorpus } from './commands/corpus.ts'
import { addCurate } from './commands/curate.ts'
import { addDecontaminate } from './commands/decontaminate.ts'
import { addDedup } from './commands/dedup.ts'
import { addEval } from './commands/eval.ts'
import { addExport } from './commands/export.ts'
import { addExtract } from './commands/extract.ts'
import { addFetch } from './commands/fetch.ts'
import { addFilter } from './commands/filter.ts'
import { addGenerate } from './commands/generate.ts'
import { addInspect } from './commands/inspect.ts'
import { addLabel } from './commands/label.ts'
import { addLanguage } from './commands/language.ts'
import { addMask } from './commands/mask.ts'
import { addParts } from './commands/parts.ts'
import { addReport } from './commands/report.ts'
import { addRun } from './commands/run.ts'
import { addScore } from './commands/score.ts'
import { addServe } from './commands/serve.ts'
import { addShards } from './commands/shards.ts'
import { addTokenizer } from './commands/tokenizer.ts'
import { addTune } from './commands/tune.ts'
import { exitCodesHelp } from './exitCodes.ts'

/** The command line as a tree of commands; nothing is done before it is parsed. */
export function makeProgram(): Command {
  const program = new Command('smolforge')
    .description(
      'Small language models from data, the SmolLM2 way: curate, tokenize, pretrain in stages, post-train, ' +
        'evaluate, report. One recipe says what; each step of it is kept in the folder of the run.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show what a command does, with an example')
    .helpCommand('help [command]', 'the same as COMMAND --help')
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for what there is)')
    .configureHelp({ showGlobalOptions: false })
    .addHelpText(
      'after',
      `
Begin with:
  smolforge run recipes/quickstart.yaml       the whole way, from sources to a chat model and its report
  smolforge chat --model runs/quickstart      talk to it
  smolforge inspect runs/quickstart           what was done, and how long it took
  smolforge fetch model smollm2-135m-instruct a real model to talk to: chat --model models/smollm2-135m-instruct

A run that is stopped or killed goes on where it was when the same command is given again.
${exitCodesHelp}`,
    )
  addRun(program)
  addCorpus(program)
  addCurate(program)
  addParts(program)
  addLanguage(program)
  addMask(program)
  addTune(program)
  addExtract(program)
  addDedup(program)
  addDecontaminate(program)
  addLabel(program)
  addClassifier(program)
  addTokenizer(program)
  addEval(program)
  addFetch(program)
  addFilter(program)
  addGenerate(program)
  addChat(program)
  addScore(program)
  addServe(program)
  addExport(program)
  addShards(program)
  addReport(program)
  addInspect(program)
  return program
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
