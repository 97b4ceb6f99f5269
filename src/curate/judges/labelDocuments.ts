import { createHash } from 'node:crypto'
import { SmolforgeError } from '../../errors.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../../progress/progress.ts'
import type { Judgement, JudgementCache } from './cache.ts'
import type { JudgeEndpoint } from './chat.ts'
import { mapInOrder } from './inOrder.ts'
import {
  type JudgeOptions,
  type JudgeSession,
  judgeDocument,
  questionOf,
  type RetryOptions,
} from './judge.ts'
import { Pace, type RateLimits } from './pace.ts'
import type { Rubric } from './rubric.ts'
import { Spending, type TokenCounts, type TokenPrices } from './spending.ts'

export interface LabelOptions {
  rubric: Rubric
  endpoint: JudgeEndpoint
  /** Judges the documents of the check; the same one again, at a temperature of 0.7 or more, when it is left out. */
  secondEndpoint?: JudgeEndpoint
  /** Share of the documents that is judged twice. */
  checkShare: number
  cache: JudgementCache
  /** Requests on their way at once. */
  concurrency: number
  limits: RateLimits
  retry: RetryOptions
  maxCharacters: number
  prices: TokenPrices
  maxCost?: number
  stop?: StopSignal
  onProgress?: Progress
}

export interface DocumentToLabel {
  id: string
  text: string
}

/** One line of a file of labels. */
export interface DocumentLabel {
  id: string
  /** 0 to 5; null where the judge gave no score. */
  label: number | null
  /** The second judgement, of documents that were in the check. */
  second?: number
  /** Why there is no label. */
  failure?: string
  /** The first 16 digits of the SHA-256 of the text: a label does not fit another one. */
  textHash: string
}

/** A label belongs to one text: this much of its SHA-256 says which. */
export function textHashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

export interface LabelEstimate {
  documents: number
  /** Judgements that are needed, and how many of them are in the cache. */
  judgements: number
  cached: number
  /** Of the requests to come, estimated. */
  tokens: TokenCounts
  /** What earlier requests for these documents used. */
  spent: TokenCounts
}

/** What is to be asked, before anything is: documents times tokens; times the prices it is the cost. */
export async function estimateLabelling(
  documents: AsyncIterable<DocumentToLabel>,
  options: LabelOptions,
): Promise<LabelEstimate> {
  const estimate: LabelEstimate = {
    documents: 0,
    judgements: 0,
    cached: 0,
    tokens: { promptTokens: 0, answerTokens: 0 },
    spent: { promptTokens: 0, answerTokens: 0 },
  }
  const seen = new Set<string>()
  for await (const { text } of documents) {
    estimate.documents++
    for (const pass of passesOf(text, options)) {
      const { key, promptTokens, answerTokens } = questionOf(text, pass)
      if (seen.has(key)) continue
      seen.add(key)
      estimate.judgements++
      const kept = options.cache.get(key)
      if (kept) addTokens(estimate.spent, kept)
      if (kept?.score !== undefined) estimate.cached++
      else addTokens(estimate.tokens, { promptTokens, answerTokens })
    }
  }
  return estimate
}

/**
 * Labels documents by a rubric, in their order. Judgements that the cache holds are not asked for again; a judge that
 * fails for one document leaves it without a label and goes on.
 *
 * @param spent what the cache says was paid for these documents: it counts against `maxCost`.
 * @throws SmolforgeError `network` when the judge does not work at all, `usage` at the most that may be spent,
 * `interrupted` when asked to stop. What was judged until then is in the cache.
 */
export function labelDocuments(
  documents: AsyncIterable<DocumentToLabel>,
  options: LabelOptions,
  spent: TokenCounts = { promptTokens: 0, answerTokens: 0 },
): { labels: AsyncGenerator<DocumentLabel>; totals: () => LabelTotals } {
  const { cache, limits, prices, maxCost } = options
  const spending = new Spending(prices, maxCost)
  spending.add(spent)
  const abort = new AbortController()
  const asker = new Asker({ cache, pace: new Pace(limits), spending, signal: abort.signal })
  return {
    labels: labelInOrder(documents, options, asker, abort),
    totals: () => ({ tokens: spending.tokens, cost: spending.cost, asked: asker.asked }),
  }
}

async function* labelInOrder(
  documents: AsyncIterable<DocumentToLabel>,
  options: LabelOptions,
  asker: Asker,
  abort: AbortController,
): AsyncGenerator<DocumentLabel> {
  const { concurrency, stop = neverStop, onProgress = noProgress } = options
  const watch = setInterval(() => {
    if (!stop.stopped) return
    abort.abort(new SmolforgeError('interrupted', 'Stopped while labelling; what was judged is kept'))
  }, 50)
  const work = async ({ id, text }: DocumentToLabel): Promise<DocumentLabel> => {
    const [first, second] = await Promise.all(passesOf(text, options).map((pass) => asker.ask(text, pass)))
    return {
      id,
      label: first.score ?? null,
      ...(second?.score === undefined ? {} : { second: second.score }),
      ...(first.score === undefined ? { failure: first.failure } : {}),
      textHash: textHashOf(text),
    }
  }
  let done = 0
  try {
    for await (const label of mapInOrder(documents, concurrency, work, abort, isLimit)) {
      onProgress({ done: ++done, unit: 'documents' })
      yield label
    }
  } finally {
    clearInterval(watch)
  }
}

/** At the most that may be spent no request begins; those on their way are paid for, so their answers are kept. */
const isLimit = (error: unknown) => error instanceof SmolforgeError && error.code === 'usage'

export interface LabelTotals {
  tokens: TokenCounts
  cost: number
  /** Judgements that the cache did not have. */
  asked: number
}

/** So many documents in a row without a score say that the judge does not work. */
const FAILURES_IN_A_ROW = 20

/** Asks what the cache does not know, equal questions at one time once. */
class Asker {
  asked = 0
  readonly #session: JudgeSession
  readonly #onTheWay = new Map<string, Promise<Judgement>>()
  #failures = 0

  constructor(session: JudgeSession) {
    this.#session = session
  }

  ask(text: string, options: JudgeOptions): Promise<Judgement> {
    const question = questionOf(text, options)
    const kept = this.#session.cache.get(question.key)
    if (kept?.score !== undefined) return Promise.resolve(kept)
    const same = this.#onTheWay.get(question.key)
    if (same) return same
    this.asked++
    const asked = judgeDocument(question, options, this.#session)
      .then((judgement) => this.#checked(judgement))
      .finally(() => this.#onTheWay.delete(question.key))
    this.#onTheWay.set(question.key, asked)
    return asked
  }

  #checked(judgement: Judgement): Judgement {
    this.#failures = judgement.score === undefined ? this.#failures + 1 : 0
    if (this.#failures < FAILURES_IN_A_ROW) return judgement
    throw new SmolforgeError(
      'network',
      `${this.#failures} documents in a row got no score: ${judgement.failure}`,
      {
        hint: 'Check the judge by hand. What was judged is kept: the same command goes on there.',
      },
    )
  }
}

/** One judgement of every document, two of those in the check: which ones they are, their text alone decides. */
function passesOf(text: string, options: LabelOptions): JudgeOptions[] {
  const { endpoint, secondEndpoint, rubric, maxCharacters, retry } = options
  const first = { endpoint, rubric, maxCharacters, retry, pass: 0 }
  const lot = createHash('sha256').update('smolforge check ').update(text).digest().readUInt32LE() / 2 ** 32
  if (lot >= options.checkShare) return [first]
  const again = secondEndpoint ?? { ...endpoint, temperature: Math.max(0.7, endpoint.temperature) }
  return [first, { ...first, endpoint: again, pass: 1 }]
}

function addTokens(to: TokenCounts, { promptTokens, answerTokens }: TokenCounts): void {
  to.promptTokens += promptTokens
  to.answerTokens += answerTokens
}
