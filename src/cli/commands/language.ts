import type { Command } from 'commander'
import { FastTextModel, fastTextDetector, whatlangDetector } from '../../curate/index.ts'
import { answerDocuments } from '../answerDocuments.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { positiveInteger } from '../runRecipeFile.ts'

interface LanguageOptions {
  input: string
  output: string
  model?: string
  threads?: number
  json?: boolean
}

/** `smolforge language`: names the language of each document. */
export function addLanguage(program: Command): void {
  program
    .command('language')
    .requiredOption('--input <file>', 'documents as JSON lines {"id", "text"}, plain, .gz or .zst')
    .requiredOption('--output <file>', 'JSON lines {"id", "language", "score"}; languages are ISO 639-3')
    .option('--model <file>', 'a fastText model with a label for each language, such as lid.176.bin')
    .option('--threads <n>', 'threads (default: all)', positiveInteger)
    .option('--json', 'a summary as one JSON object on standard output')
    .summary('name the language of each document')
    .description(
      'Language identification by trigrams, natively, or by your own fastText model. Code spans, tags and addresses ' +
        'are passed over by the built-in identifier: they look like English in every language.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge language --input pages.jsonl --output languages.jsonl
  smolforge language --input pages.jsonl.zst --output languages.jsonl --model lid.176.ftz --threads 4
${exitCodesHelp}`,
    )
    .action(async (options: LanguageOptions) => {
      const { model, threads } = options
      const detect = model
        ? fastTextDetector(FastTextModel.load(model), threads)
        : (texts: readonly string[]) => whatlangDetector(texts, threads)
      await answerDocuments(options, async (batch) => {
        const guesses = await detect(batch.map(({ text }) => text))
        return batch.map(({ id }, i) => ({ id, ...guesses[i] }))
      })
    })
}
