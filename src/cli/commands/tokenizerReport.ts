import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { textBatch, whatlangDetector } from '../../curate/index.ts'
import { fileError, SmolforgeError } from '../../errors.ts'
import { readJsonLines } from '../../files/jsonl.ts'
import { type Fertility, FertilityCounter, type FertilityRow, Tokenizer } from '../../tokenizer/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { formatCount, Output, table } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface ReportOptions {
  tokenizer: string
  input: string
  against?: string
  threads?: number
  json?: boolean
}

/** `smolforge tokenizer report`: what a tokenizer makes of texts, by domain and language. */
export function addTokenizerReport(tokenizer: Command): void {
  tokenizer
    .command('report')
    .requiredOption('--tokenizer <path>', 'a folder with tokenizer.json, the file, or a .gguf file')
    .requiredOption('--input <file>', 'JSON lines {"text", "domain"?, "language"?}')
    .option('--against <path>', 'another tokenizer, for the same texts')
    .option('--threads <n>', 'threads (default all cores)', positiveInteger)
    .option('--json', 'the report as one JSON object on standard output')
    .summary('tokens per word and bytes per token, by domain and language')
    .description(
      'Fertility: tokens per word, bytes per token and the share of words that are split, by domain and language ' +
        '(detected where a line has no "language" or "lang"); the tokens that never came, the longest, and those that no text can give.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge tokenizer report --tokenizer my-tokenizer --input texts.jsonl
  smolforge tokenizer report --tokenizer my-tokenizer --input texts.jsonl --against models/smollm2-135m-instruct
${exitCodesHelp}`,
    )
    .action(async (options: ReportOptions) => {
      const start = performance.now()
      const { size } = await stat(options.input).catch((error) => {
        throw fileError(error, options.input)
      })
      const paths = [options.tokenizer, ...(options.against === undefined ? [] : [options.against])]
      const counters: FertilityCounter[] = []
      for (const path of paths)
        counters.push(new FertilityCounter(await Tokenizer.load(path), options.threads))
      let documents = 0
      for await (const batch of labelled(options.input, options.threads)) {
        const texts = textBatch(batch.map(({ text }) => text))
        for (const counter of counters) counter.add({ texts, labels: batch })
        texts.release()
        documents += batch.length
      }
      const [report, against] = counters.map((counter) => counter.result())
      const output = new Output(options)
      output.emit(against === undefined ? report : { ...report, against })
      for (const line of lines(report, against)) output.say(line)
      const seconds = (performance.now() - start) / 1000
      writeStatisticsLine({ documents, bytes: size, seconds, dropped: {}, damaged: 0 })
    })
}

const line = z.looseObject({
  text: z.string(),
  domain: z.string().optional(),
  language: z.string().optional(),
  lang: z.string().optional(),
})

interface Labelled {
  text: string
  domain: string
  language: string
}

const BATCH_CHARACTERS = 8 << 20

async function* labelled(file: string, threads?: number): AsyncGenerator<Labelled[]> {
  let batch: z.infer<typeof line>[] = []
  let characters = 0
  const finish = async (): Promise<Labelled[]> => {
    const unknown = batch.filter(({ language, lang }) => language === undefined && lang === undefined)
    const guesses = await whatlangDetector(
      unknown.map(({ text }) => text),
      threads,
    )
    const guessed = new Map(unknown.map((document, i) => [document, guesses[i].language]))
    return batch.map((document) => ({
      text: document.text,
      domain: document.domain ?? 'text',
      language: document.language ?? document.lang ?? (guessed.get(document) || 'unknown'),
    }))
  }
  for await (const { line: number, value } of readJsonLines(file)) {
    const parsed = line.safeParse(value)
    if (!parsed.success) {
      throw new SmolforgeError('input', 'A line has "text", and "domain" and "language" are strings', {
        place: { file, line: number },
      })
    }
    batch.push(parsed.data)
    characters += parsed.data.text.length
    if (characters < BATCH_CHARACTERS) continue
    yield await finish()
    batch = []
    characters = 0
  }
  if (batch.length > 0) yield await finish()
}

function* lines(report: Fertility, against: Fertility | undefined): Generator<string> {
  for (const [title, rows, others] of [
    ['domain', [report.total, ...report.domains], [against?.total, ...(against?.domains ?? [])]],
    ['language', report.languages, against?.languages ?? []],
  ] as const) {
    const header = ['documents', 'MB', 'tokens', 'tokens/word', 'bytes/token', 'words split %']
    const other = against === undefined ? [] : ['other bytes/token', 'other tokens %']
    yield table([
      [title, ...header, ...other],
      ...rows.map((row) => cells(row, others, against !== undefined)),
    ])
    yield ''
  }
  const { size, unused, longest, unreachable, longUnused } = report.vocabulary
  yield `${formatCount(unused)} of ${formatCount(size)} tokens never came`
  const list = (tokens: readonly { token: string }[]) =>
    tokens.map(({ token }) => JSON.stringify(token)).join(' ')
  yield `longest that came: ${list(longest)}`
  yield `longest that never came: ${list(longUnused)}`
  yield `that no text gives: ${unreachable.length === 0 ? 'none' : list(unreachable)}`
}

function cells(
  row: FertilityRow,
  others: readonly (FertilityRow | undefined)[],
  compared: boolean,
): (string | number)[] {
  const own = [
    row.name,
    row.documents,
    (row.bytes / 1e6).toFixed(2),
    row.tokens,
    row.tokensPerWord.toFixed(3),
    row.bytesPerToken.toFixed(3),
    (100 * row.splitShare).toFixed(1),
  ]
  if (!compared) return own
  const other = others.find((candidate) => candidate?.name === row.name)
  if (other === undefined) return [...own, '', '']
  const share = row.tokens === 0 ? 0 : (100 * other.tokens) / row.tokens
  return [...own, other.bytesPerToken.toFixed(3), share.toFixed(1)]
}
