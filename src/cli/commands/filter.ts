import type { Command } from 'commander'
import {
  chooseRules,
  filterFile,
  inputBytes,
  optionNames,
  recutFile,
  ruleCatalogue,
  snakeCase,
} from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { DamageCount } from '../damageCount.ts'
import { refuseSameFile } from '../differentFiles.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { formatCount, Output } from '../output.ts'
import { collect, positiveInteger } from '../runRecipeFile.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface FilterOptions {
  rules: string
  input?: string
  recut?: string
  output: string
  set: string[]
  texts?: string
  values?: string
  domains?: string
  segment: boolean
  words?: string
  threads?: number
  json?: boolean
}

/** `smolforge filter`: heuristic quality rules on a file of documents, or other limits on the numbers of an earlier run. */
export function addFilter(program: Command): void {
  program
    .command('filter')
    .requiredOption(
      '--rules <names>',
      `by commas, in this order: ${ruleCatalogue.map(({ command }) => command).join(', ')}`,
    )
    .option(
      '--input <file>',
      'JSON lines {"id","text","url"?}, plain, .gz or .zst; Parquet; or a folder of them',
    )
    .requiredOption(
      '--output <file>',
      'JSON lines {"id","keep","rule","value"}: the first rule that drops, and at what',
    )
    .option(
      '--set <rule.parameter=value>',
      "a parameter, with datatrove's name; off turns a limit off",
      collect,
      [],
    )
    .option('--texts <file>', 'also write the kept documents {"id","text"}, without the lines that C4 cuts')
    .option('--values <file>', 'also write every number that the rules look at, for --recut')
    .option('--domains <file>', 'also write a table by domain: documents, bytes, share kept, share by rule')
    .option('--recut <file>', 'judge the numbers that --values wrote instead of reading texts')
    .option('--no-segment', "leave Chinese, Japanese, Thai and the like whole, as spaCy's English rules do")
    .option(
      '--words <field>',
      'count the words in this field of each line, a list of strings, instead of splitting the text',
    )
    .option('--threads <n>', 'threads (default all cores)', positiveInteger)
    .option('--json', 'the counts as one JSON object on standard output')
    .summary('heuristic quality rules on a file of documents')
    .description(
      "Gopher's, C4's and FineWeb's rules with datatrove's definitions, parameters and defaults. Rules after c4 see the " +
        'text that C4 leaves. Lines that hold no document are counted as damaged and left out.',
    )
    .addHelpText('after', `\n${parametersHelp()}\n${examples}${exitCodesHelp}`)
    .action(async (options: FilterOptions) => {
      const started = performance.now()
      const rules = chooseRules(options.rules.split(','), options.set, ruleCatalogue)
      const { input, recut, output } = options
      const out = new Output(options)
      const read = recut ?? input
      if (read === undefined || (recut !== undefined && input !== undefined)) {
        throw new SmolforgeError('usage', 'Give --input FILE, or --recut FILE of an earlier --values')
      }
      if (recut !== undefined && options.texts !== undefined) {
        throw new SmolforgeError('usage', '--texts does not go with --recut, which reads no texts')
      }
      const { texts, values, domains } = options
      refuseSameFile({ '--output': output, '--texts': texts, '--values': values, '--domains': domains })
      const bytes = await inputBytes(read)
      const counts =
        recut !== undefined
          ? await recutFile({ values: recut, output, rules })
          : await filterFile({ ...options, input: read, rules, onDamage: new DamageCount().add })
      const { documents, kept, dropped, damaged, replaced } = counts
      out.say(`${formatCount(kept)} of ${formatCount(documents)} documents kept: ${output}`)
      if (replaced > 0) out.say(`${formatCount(replaced)} characters could not be read and became U+FFFD`)
      out.emit({ documents, kept, textBytes: counts.bytes, dropped, damaged, replaced, output })
      const seconds = (performance.now() - started) / 1000
      writeStatisticsLine({ documents, bytes, seconds, dropped, damaged })
    })
}

function parametersHelp(): string {
  const lines = ruleCatalogue.map(
    (definition) => `  ${definition.command}: ${optionNames(definition).map(snakeCase).join(', ')}`,
  )
  return `Parameters:\n${lines.join('\n')}`
}

const examples = `
Examples:
  smolforge filter --rules gopher-quality,gopher-repetition,c4,fineweb --input DOCS.jsonl --output VERDICTS.jsonl
  smolforge filter --rules gopher-quality,c4 --set gopher-quality.min_doc_words=40 --input DOCS.jsonl.zst --output V.jsonl --texts KEPT.jsonl --values NUMBERS.jsonl
  smolforge filter --rules gopher-quality,c4 --recut NUMBERS.jsonl --set c4.min_num_sentences=3 --output V3.jsonl
`
