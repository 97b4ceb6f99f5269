import type { Command } from 'commander'
import {
  type Agreement,
  agreementOf,
  chatUrl,
  costOf,
  type DocumentLabel,
  estimateLabelling,
  type JudgeEndpoint,
  JudgementCache,
  type LabelEstimate,
  type LabelOptions,
  labelDocuments,
  readRubric,
} from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { writeChunksAtomic } from '../../files/atomic.ts'
import { sizeOf, tellDamage } from '../answerDocuments.ts'
import { type DocumentCounts, readDocumentLines } from '../documentLines.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { nonNegativeNumber, shareNumber } from '../numbers.ts'
import { formatCount, Output, table } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface Options {
  rubric: string
  input: string
  output: string
  endpoint?: string
  model?: string
  secondModel?: string
  secondEndpoint?: string
  check: number
  limit?: number
  cache?: string
  concurrency: number
  requestsPerMinute?: number
  tokensPerMinute?: number
  attempts: number
  timeout: number
  temperature: number
  maxAnswerTokens: number
  maxChars: number
  body?: string
  pricePrompt?: number
  priceAnswer?: number
  maxCost?: number
  estimate?: boolean
  json?: boolean
}

/** `smolforge label`: a judge gives documents a score from 0 to 5 by a rubric. */
export function addLabel(program: Command): void {
  program
    .command('label')
    .requiredOption('--rubric <name|file>', 'edu, maths, code, or a text file that says what 0 to 5 mean')
    .requiredOption('--input <file>', 'JSON lines {"id", "text"}, plain, .gz or .zst')
    .requiredOption('--output <file>', 'JSON lines {"id", "label", ...} in the same order')
    .option('--endpoint <url>', 'base address of an OpenAI-compatible server (or SMOLFORGE_JUDGE_URL)')
    .option('--model <name>', 'the model there (or SMOLFORGE_JUDGE_MODEL)')
    .option('--check <share>', 'share of the documents that is judged twice', shareNumber, 0.05)
    .option(
      '--second-model <name>',
      'who judges the second time (default: the same, at a temperature of 0.7)',
    )
    .option('--second-endpoint <url>', 'where the second model is (default: the same server)')
    .option('--limit <n>', 'label only the first n documents', positiveInteger)
    .option('--cache <file>', 'judgements, kept as they come (default: OUTPUT with .judgements.jsonl)')
    .option('--concurrency <n>', 'requests on their way at once', positiveInteger, 8)
    .option('--requests-per-minute <n>', 'no more requests than that', positiveInteger)
    .option(
      '--tokens-per-minute <n>',
      'no more tokens than that, questions and answers together',
      positiveInteger,
    )
    .option('--attempts <n>', 'requests for one judgement before it is given up', positiveInteger, 6)
    .option('--timeout <seconds>', 'how long one request may take', nonNegativeNumber, 120)
    .option('--temperature <t>', 'of the judge', nonNegativeNumber, 0)
    .option('--max-answer-tokens <n>', 'longest answer', positiveInteger, 300)
    .option('--max-chars <n>', 'as much of a document is shown to the judge', positiveInteger, 12_000)
    .option('--body <json>', 'fields of the request that the server wants otherwise; null takes one out')
    .option('--price-prompt <n>', 'price of a million prompt tokens', nonNegativeNumber)
    .option('--price-answer <n>', 'price of a million answer tokens', nonNegativeNumber)
    .option(
      '--max-cost <n>',
      'start nothing that is estimated to cost more, and spend no more',
      nonNegativeNumber,
    )
    .option('--estimate', 'say what it would take and cost, and stop')
    .option('--json', 'estimate and result as JSON objects on standard output')
    .summary('let a model score documents by a rubric, from 0 to 5')
    .description(
      'Asks any server with the OpenAI chat API for a score of each document, as FineWeb-Edu did with Llama. What was ' +
        'answered is on disk at once: the same command goes on after a stop, a kill or a raised --max-cost, and asks nothing ' +
        'twice. The key comes from SMOLFORGE_JUDGE_KEY (for the second server SMOLFORGE_SECOND_JUDGE_KEY).',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge label --rubric edu --input docs.jsonl --output labels.jsonl \\
    --endpoint http://127.0.0.1:8000/v1 --model my-judge --limit 5000
  smolforge label --rubric my-rubric.md --input docs.jsonl --output labels.jsonl --endpoint https://api.example.com/v1 \\
    --model large --second-model other --price-prompt 0.6 --price-answer 2.4 --max-cost 20
${exitCodesHelp}`,
    )
    .action(runLabel)
}

async function runLabel(options: Options): Promise<void> {
  const started = performance.now()
  const output = new Output(options)
  const rubric = await readRubric(options.rubric)
  const endpoints = endpointsOf(options)
  const prices = pricesOf(options)
  const cache = await JudgementCache.open(options.cache ?? `${options.output}.judgements.jsonl`)
  const signals = stopBySignal(() => output.say('Stopping: what was judged is kept.'))
  try {
    const labelling: LabelOptions = {
      rubric,
      ...endpoints,
      checkShare: options.check,
      cache,
      concurrency: options.concurrency,
      limits: { requestsPerMinute: options.requestsPerMinute, tokensPerMinute: options.tokensPerMinute },
      retry: { attempts: options.attempts, firstDelayMs: 1000, longestDelayMs: 60_000 },
      maxCharacters: options.maxChars,
      prices,
      maxCost: options.maxCost,
      stop: signals.stop,
    }
    const estimate = await estimateLabelling(documentsOf(options), labelling)
    const cost = costOf(estimate.tokens, prices)
    const spent = costOf(estimate.spent, prices)
    output.say(estimateText(estimate, cost, spent, options))
    output.emit({ type: 'estimate', ...estimate, cost, spentCost: spent })
    checkCost(cost, spent, options)
    if (options.estimate) return
    const counts: DocumentCounts = { documents: 0, bytes: 0, damaged: 0 }
    const { labels, totals } = labelDocuments(documentsOf(options, counts), labelling, estimate.spent)
    const result = await writeLabels(options.output, labels)
    const agreement = agreementOf(result.pairs)
    output.say(resultText(result, totals().cost, agreement, options))
    output.emit({
      type: 'labelled',
      ...result,
      pairs: undefined,
      agreement,
      ...totals(),
      output: options.output,
    })
    tellDamage(options.input, counts)
    const { damaged } = counts
    const bytes = sizeOf(options.input)
    const documents = result.labelled + result.failed
    const seconds = (performance.now() - started) / 1000
    writeStatisticsLine({ documents, bytes, seconds, dropped: { 'no-score': result.failed }, damaged })
  } finally {
    signals.release()
    await cache.close()
  }
}

function endpointsOf(options: Options): { endpoint: JudgeEndpoint; secondEndpoint?: JudgeEndpoint } {
  const baseUrl = options.endpoint ?? process.env.SMOLFORGE_JUDGE_URL
  const model = options.model ?? process.env.SMOLFORGE_JUDGE_MODEL
  if (!baseUrl || !model) {
    throw new SmolforgeError('usage', `No judge is given: ${baseUrl ? '--model' : '--endpoint'} is missing`, {
      hint: 'For example --endpoint http://127.0.0.1:8000/v1 --model NAME, or SMOLFORGE_JUDGE_URL and SMOLFORGE_JUDGE_MODEL.',
    })
  }
  const endpoint: JudgeEndpoint = {
    baseUrl,
    model,
    apiKey: process.env.SMOLFORGE_JUDGE_KEY || undefined,
    temperature: options.temperature,
    maxAnswerTokens: options.maxAnswerTokens,
    timeoutMs: 1000 * options.timeout,
    body: bodyOf(options.body),
  }
  chatUrl(baseUrl)
  const { secondModel, secondEndpoint } = options
  if (secondModel === undefined && secondEndpoint === undefined) return { endpoint }
  const second = { ...endpoint, model: secondModel ?? model, baseUrl: secondEndpoint ?? baseUrl }
  chatUrl(second.baseUrl)
  // A key goes to the server that it was given for.
  const elsewhere = new URL(second.baseUrl).origin !== new URL(baseUrl).origin
  const otherKey = process.env.SMOLFORGE_SECOND_JUDGE_KEY || undefined
  return {
    endpoint,
    secondEndpoint: { ...second, apiKey: elsewhere ? otherKey : (otherKey ?? endpoint.apiKey) },
  }
}

function bodyOf(json: string | undefined): Record<string, unknown> | undefined {
  if (json === undefined) return undefined
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {}
  throw new SmolforgeError('usage', `--body is no JSON object: ${json.slice(0, 60)}`)
}

function pricesOf({ pricePrompt, priceAnswer, maxCost }: Options) {
  if (maxCost !== undefined && pricePrompt === undefined && priceAnswer === undefined) {
    throw new SmolforgeError('usage', '--max-cost needs --price-prompt and --price-answer', {
      hint: "Give the prices of a million tokens as the judge's provider lists them.",
    })
  }
  return { perMillionPrompt: pricePrompt ?? 0, perMillionAnswer: priceAnswer ?? 0 }
}

async function* documentsOf({ input, limit }: Options, counts?: DocumentCounts) {
  let left = limit ?? Number.POSITIVE_INFINITY
  for await (const batch of readDocumentLines(input, counts)) {
    for (const { id, text } of batch) {
      if (left-- <= 0) return
      yield { id, text }
    }
  }
}

function checkCost(cost: number, spent: number, { maxCost, estimate }: Options): void {
  if (estimate || maxCost === undefined || spent + cost <= maxCost) return
  throw new SmolforgeError(
    'usage',
    `This is estimated to cost ${money(spent + cost)}, more than --max-cost ${maxCost}`,
    {
      hint: 'Nothing was asked. Label fewer documents (--limit), show less of each (--max-chars), or allow more.',
    },
  )
}

interface Result {
  labelled: number
  failed: number
  /** Documents with each score. */
  scores: number[]
  pairs: [number, number][]
}

/** Writes the labels as they come; the file has its name when it is whole. */
async function writeLabels(path: string, labels: AsyncIterable<DocumentLabel>): Promise<Result> {
  const result: Result = { labelled: 0, failed: 0, scores: [0, 0, 0, 0, 0, 0], pairs: [] }
  await writeChunksAtomic(path, async (write) => {
    for await (const label of labels) {
      if (label.label === null) result.failed++
      else {
        result.labelled++
        result.scores[label.label]++
        if (label.second !== undefined) result.pairs.push([label.label, label.second])
      }
      await write(Buffer.from(`${JSON.stringify(label)}\n`))
    }
  })
  return result
}

const money = (cost: number) => cost.toFixed(cost < 1 ? 4 : 2)

function estimateText(
  { documents, judgements, cached, tokens }: LabelEstimate,
  cost: number,
  spent: number,
  options: Options,
) {
  const ahead = `${formatCount(documents)} documents, ${formatCount(judgements)} judgements, ${formatCount(cached)} of them kept from before`
  const used = `about ${formatCount(tokens.promptTokens)} prompt and ${formatCount(tokens.answerTokens)} answer tokens to go`
  const priced = options.pricePrompt !== undefined || options.priceAnswer !== undefined
  return `${ahead}; ${used}${priced ? `: about ${money(cost)}${spent > 0 ? `, ${money(spent)} spent before` : ''}` : ''}`
}

function resultText(
  { labelled, failed, scores }: Result,
  cost: number,
  agreement: Agreement,
  options: Options,
): string {
  const lines = [
    `${formatCount(labelled)} documents labelled, ${formatCount(failed)} without a score: ${options.output}`,
    table([
      ['score', ...scores.map((_, score) => score)],
      ['documents', ...scores.map(formatCount)],
    ]),
  ]
  if (options.pricePrompt !== undefined || options.priceAnswer !== undefined)
    lines.push(`Spent: ${money(cost)}`)
  if (agreement.pairs > 0) {
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`
    const { pairs, exact, withinOne, kappa, quadraticKappa, spearman } = agreement
    lines.push(
      `Judged twice: ${formatCount(pairs)} documents; same score ${percent(exact)}, within one ${percent(withinOne)}, ` +
        `kappa ${kappa.toFixed(2)} (quadratic ${quadraticKappa.toFixed(2)}), Spearman ${spearman.toFixed(2)}`,
    )
  }
  return lines.join('\n')
}
