import { z } from 'zod'
import { SmolforgeError } from '../../errors.ts'
import type { JudgeMessage } from './prompt.ts'

/** An OpenAI-compatible server and the model there. */
export interface JudgeEndpoint {
  /** Up to and with the version: `https://api.example.com/v1`. */
  baseUrl: string
  model: string
  /** Sent as `Authorization: Bearer`; shown and kept nowhere. */
  apiKey?: string
  temperature: number
  maxAnswerTokens: number
  /** For one request, from its start to the last byte of the answer. */
  timeoutMs: number
  /** Fields of the request that the server wants besides or otherwise; null takes one out. */
  body?: Readonly<Record<string, unknown>>
}

export interface ChatAnswer {
  content: string
  /** As the server counts them, or estimated where it does not say. */
  promptTokens: number
  answerTokens: number
}

/**
 * Why a request gave no answer: `again` may go better later, `refused` is about this document alone, `wrong` would go the
 * same way with every document.
 */
export class ChatFailure extends Error {
  readonly kind: 'again' | 'refused' | 'wrong'
  /** How long the server wants to be left alone. */
  readonly retryAfterMs: number | undefined

  constructor(kind: 'again' | 'refused' | 'wrong', message: string, retryAfterMs?: number) {
    super(message)
    this.kind = kind
    this.retryAfterMs = retryAfterMs
  }
}

/** One request to `/chat/completions`. @throws ChatFailure */
export async function askChat(
  endpoint: JudgeEndpoint,
  messages: readonly JudgeMessage[],
  signal: AbortSignal,
): Promise<ChatAnswer> {
  const { status, headers, text } = await post(endpoint, messages, signal)
  if (status >= 400) throw failureOf(status, headers, text)
  const parsed = answerSchema.safeParse(jsonOf(text))
  if (!parsed.success) throw new ChatFailure('again', 'The answer is no chat completion')
  const { choices, usage } = parsed.data
  const content = choices[0].message.content ?? ''
  return {
    content,
    promptTokens: usage?.prompt_tokens ?? estimateTokens(messages.map((one) => one.content).join('\n')),
    answerTokens: usage?.completion_tokens ?? estimateTokens(content),
  }
}

/** Tokens of a text, roughly and rather too many: a token for each 3.5 bytes. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 3.5)
}

/** @throws SmolforgeError `usage` when it is no http or https address. */
export function chatUrl(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new SmolforgeError('usage', `Not the address of a judge: ${baseUrl}`, {
      hint: 'Give the base address of an OpenAI-compatible server, for example http://127.0.0.1:8000/v1',
    })
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '').replace(/\/chat\/completions$/, '')}/chat/completions`
  return url.href
}

const tokens = z.number().int().nonnegative()
const answerSchema = z.looseObject({
  choices: z.tuple(
    [z.looseObject({ message: z.looseObject({ content: z.string().nullish() }) })],
    z.unknown(),
  ),
  usage: z.looseObject({ prompt_tokens: tokens, completion_tokens: tokens }).nullish().catch(undefined),
})

/** An answer is a few sentences: what is longer than this is something else. */
const MAX_BYTES = 4 << 20

async function post(endpoint: JudgeEndpoint, messages: readonly JudgeMessage[], signal: AbortSignal) {
  const { model, temperature, maxAnswerTokens, apiKey, timeoutMs } = endpoint
  const fields = { model, messages, temperature, max_tokens: maxAnswerTokens, ...endpoint.body }
  const body = JSON.stringify(
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)),
  )
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(chatUrl(endpoint.baseUrl), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      body,
      // The key goes to the address that was given and to no other.
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    })
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel()
      throw new ChatFailure('wrong', `The judge's address leads elsewhere (HTTP ${response.status})`)
    }
    return { status: response.status, headers: response.headers, text: await readAll(response) }
  } catch (error) {
    if (error instanceof ChatFailure || signal.aborted) throw error
    if (timeout.aborted) throw new ChatFailure('again', `No answer within ${timeoutMs / 1000} s`)
    throw new ChatFailure('again', `The connection failed: ${reasonOf(error)}`)
  }
}

async function readAll(response: Response): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop closes the connection.
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength
    if (bytes > MAX_BYTES) throw new ChatFailure('again', `The answer is longer than ${MAX_BYTES} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

function failureOf(status: number, headers: Headers, text: string): ChatFailure {
  const message = `HTTP ${status}${messageOf(text)}`
  if (status === 429 || status === 408 || status === 409 || status === 425 || status >= 500) {
    return new ChatFailure('again', message, retryAfter(headers.get('retry-after')))
  }
  const aboutTheDocument = status === 400 || status === 413 || status === 422
  return new ChatFailure(aboutTheDocument ? 'refused' : 'wrong', message)
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : undefined
}

/** What the server says is wrong, on one line of printable characters: it is shown to a person. */
function messageOf(text: string): string {
  const parsed = z.looseObject({ error: z.looseObject({ message: z.string() }) }).safeParse(jsonOf(text))
  const message = (parsed.success ? parsed.data.error.message : text).replace(/[\p{C}\s]+/gu, ' ').trim()
  return message === '' ? '' : `: ${message.slice(0, 200)}`
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}
