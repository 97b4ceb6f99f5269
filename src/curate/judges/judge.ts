import { createHash } from 'node:crypto'
import { SmolforgeError } from '../../errors.ts'
import type { Judgement, JudgementCache } from './cache.ts'
import { askChat, type ChatAnswer, ChatFailure, estimateTokens, type JudgeEndpoint } from './chat.ts'
import { type Pace, wait } from './pace.ts'
import { parseScore } from './parseScore.ts'
import { excerptForJudge, type JudgeMessage, judgePrompt, PROMPT_VERSION, REMINDER } from './prompt.ts'
import type { Rubric } from './rubric.ts'
import type { Spending } from './spending.ts'

export interface RetryOptions {
  /** Requests for one document, the first included. */
  attempts: number
  /** Before the second request; it doubles from one to the next, up to `longestDelayMs`. */
  firstDelayMs: number
  longestDelayMs: number
}

export interface JudgeOptions {
  endpoint: JudgeEndpoint
  rubric: Rubric
  /** Which time the document is judged: 0, or 1 for the check of agreement. */
  pass: number
  /** As much of a document is shown. */
  maxCharacters: number
  retry: RetryOptions
}

/** A question to the judge, with the key that its answer is kept under. */
export interface Question {
  key: string
  messages: JudgeMessage[]
  /** Estimates, for limits and costs. */
  promptTokens: number
  answerTokens: number
}

/** Answers of judges are about so long. */
const USUAL_ANSWER_TOKENS = 120

export function questionOf(text: string, { endpoint, rubric, pass, maxCharacters }: JudgeOptions): Question {
  const excerpt = excerptForJudge(text, maxCharacters)
  const messages = judgePrompt(rubric, excerpt)
  const { model, temperature, maxAnswerTokens, body = null } = endpoint
  const settings = [PROMPT_VERSION, rubric.sha256, model, temperature, maxAnswerTokens, body, pass]
  return {
    key: hash(JSON.stringify([...settings, hash(excerpt)])),
    messages,
    promptTokens: estimateTokens(messages.map(({ content }) => content).join('\n')),
    answerTokens: Math.min(USUAL_ANSWER_TOKENS, maxAnswerTokens),
  }
}

/**
 * Asks until there is a score, the attempts are used up or the judge refuses this document. Every answer is in the cache
 * before it counts.
 *
 * @throws SmolforgeError `network` when no document would be judged: a wrong key, address or model;
 * `usage` when the next request would pass the most that may be spent.
 */
export async function judgeDocument(
  question: Question,
  { endpoint, retry }: JudgeOptions,
  { cache, pace, spending, signal }: JudgeSession,
): Promise<Judgement> {
  let messages = question.messages
  let failure = ''
  for (let attempt = 0; attempt < retry.attempts; attempt++) {
    const tokens = question.promptTokens + question.answerTokens
    const most = { promptTokens: question.promptTokens, answerTokens: endpoint.maxAnswerTokens }
    spending.reserve(most)
    let answer: ChatAnswer | undefined
    try {
      await pace.take(tokens, signal)
      answer = await askChat(endpoint, messages, signal)
    } catch (error) {
      if (!(error instanceof ChatFailure)) throw error
      if (error.kind === 'wrong') throw wrongJudge(error, endpoint)
      failure = error.message
      if (error.kind === 'refused') break
      const delay = Math.min(retry.longestDelayMs, retry.firstDelayMs * 2 ** attempt)
      // Half of the delay by chance, so that requests that failed together do not come back together.
      const jittered = delay * (0.5 + Math.random() / 2)
      if (error.retryAfterMs !== undefined) pace.pause(Math.min(error.retryAfterMs, LONGEST_PAUSE_MS))
      if (attempt + 1 < retry.attempts) await wait(jittered, signal)
      continue
    } finally {
      spending.settle(most, answer)
    }
    const { content, promptTokens, answerTokens } = answer
    pace.correct(promptTokens + answerTokens - tokens)
    const score = parseScore(content)
    failure = 'The answer has no score'
    const judgement = {
      score,
      failure: score === undefined ? failure : undefined,
      promptTokens,
      answerTokens,
    }
    await cache.add(question.key, judgement, content)
    if (score !== undefined) return judgement
    messages = remind(question.messages, content)
  }
  return { failure, promptTokens: 0, answerTokens: 0 }
}

/** What the documents of one labelling share. */
export interface JudgeSession {
  cache: JudgementCache
  pace: Pace
  spending: Spending
  signal: AbortSignal
}

/** A judge that asks for more is not waited for. */
const LONGEST_PAUSE_MS = 10 * 60_000

function remind(messages: readonly JudgeMessage[], answer: string): JudgeMessage[] {
  // An empty answer is refused by some servers when it is sent back.
  const said: JudgeMessage[] =
    answer.trim() === '' ? [] : [{ role: 'assistant', content: answer.slice(0, 4000) }]
  return said.length === 0 ? [...messages] : [...messages, ...said, { role: 'user', content: REMINDER }]
}

function wrongJudge(failure: ChatFailure, { baseUrl, model }: JudgeEndpoint): SmolforgeError {
  return new SmolforgeError(
    'network',
    `The judge "${model}" at ${baseUrl} does not work: ${failure.message}`,
    {
      hint: 'Check the address, the name of the model and the key (SMOLFORGE_JUDGE_KEY). What was judged is kept.',
    },
  )
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex')
