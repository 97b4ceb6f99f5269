import { randomUUID } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import { ApiError } from './apiError.ts'
import type { ChatModel } from './chatModel.ts'
import { generateText, type TextEnd, type TextPiece } from './generateText.ts'
import { chatLogProbs, completionLogProbs, type TokenScore } from './logProbs.ts'
import { type ParsedRequest, parseChat, parseCompletion } from './requests.ts'
import { Turns } from './turns.ts'

const MOST_BODY_BYTES = 1 << 20
const MOST_WAITING = 64

/** How the two endpoints put the same text: whole, and a piece of it. */
interface Wording {
  prefix: 'chatcmpl' | 'cmpl'
  object: string
  chunkObject: string
  whole(text: string): object
  piece(text: string, first: boolean): object
  /** `offset` is the length of the text before these tokens. */
  logProbs(model: ChatModel, tokens: readonly TokenScore[], offset: number): object
}

const CHAT: Wording = {
  prefix: 'chatcmpl',
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  whole: (content) => ({ message: { role: 'assistant', content, refusal: null } }),
  piece: (content, first) => ({ delta: first ? { role: 'assistant', content } : content ? { content } : {} }),
  logProbs: chatLogProbs,
}

const COMPLETION: Wording = {
  prefix: 'cmpl',
  object: 'text_completion',
  chunkObject: 'text_completion',
  whole: (text) => ({ text }),
  piece: (text) => ({ text }),
  logProbs: completionLogProbs,
}

/** The routes of OpenAI's API that a language model answers, and the chat page at `/`. */
export function createApp(options: {
  model: ChatModel
  name: string
  chatPage: string | undefined
  /** Answer only to requests addressed to this machine by a loopback name: what keeps other sites' pages out. */
  loopbackOnly: boolean
}): Hono {
  const { model, name, chatPage, loopbackOnly } = options
  const created = Math.floor(Date.now() / 1000)
  const turns = new Turns(MOST_WAITING)
  const app = new Hono()

  app.onError((error, context) => {
    if (error instanceof ApiError) {
      // What is left of a body that is too large is not read: the connection cannot serve another request.
      if (error.status === 413) context.header('connection', 'close')
      return context.json(error.body, error.status)
    }
    if (context.req.raw.signal.aborted) return context.body(null)
    const failure = new ApiError(500, 'server_error', 'The model failed to answer')
    process.stderr.write(`${error.stack ?? error.message}\n`)
    return context.json(failure.body, failure.status)
  })
  app.notFound(({ json, req }) =>
    json(new ApiError(404, 'invalid_request_error', `There is no ${req.method} ${req.path}`).body, 404),
  )
  app.use(async ({ req }, next) => {
    if (loopbackOnly && !isLoopback(new URL(req.url).hostname)) {
      throw new ApiError(403, 'invalid_request_error', 'This server answers to localhost only')
    }
    await next()
  })
  app.use('/v1/*', bodyLimit({ maxSize: MOST_BODY_BYTES, onError: tooLarge }))

  app.get('/', ({ html, text }) =>
    chatPage === undefined ? text('The chat page was not built: npm run build:web', 500) : html(chatPage),
  )
  const described = {
    id: name,
    object: 'model',
    created,
    owned_by: 'smolforge',
    context_length: model.llama.config.maxPositionEmbeddings,
  }
  app.get('/v1/models', ({ json }) => json({ object: 'list', data: [described] }))
  app.get('/v1/models/:id{.+}', ({ json, req }) => {
    if (req.param('id') === name) return json(described)
    throw new ApiError(404, 'invalid_request_error', `There is no model ${req.param('id')}`, {
      param: 'model',
      code: 'model_not_found',
    })
  })
  app.post('/v1/chat/completions', async (context) =>
    answer(context, parseChat(model, await readBody(context)), CHAT),
  )
  app.post('/v1/completions', async (context) =>
    answer(context, parseCompletion(model, await readBody(context)), COMPLETION),
  )

  async function answer(context: Context, request: ParsedRequest, wording: Wording): Promise<Response> {
    const { signal } = context.req.raw
    const head = {
      id: `${wording.prefix}-${randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: name,
    }
    const giveBack = await turns.take(signal)
    if (request.stream) {
      return streamSSE(context, (stream) =>
        streamAnswer(stream, request, wording, { ...head, object: wording.chunkObject }, signal).finally(
          giveBack,
        ),
      )
    }
    try {
      let text = ''
      const tokens: TokenScore[] = []
      const end = await readAll(generateText(model, request, signal), (piece) => {
        text += piece.text
        tokens.push(...piece.tokens)
      })
      const logprobs = request.topLogProbs === undefined ? null : wording.logProbs(model, tokens, 0)
      const choice = { index: 0, ...wording.whole(text), logprobs, finish_reason: end.finishReason }
      return context.json({ ...head, object: wording.object, choices: [choice], usage: usage(request, end) })
    } finally {
      giveBack()
    }
  }

  async function streamAnswer(
    stream: SSEStreamingApi,
    request: ParsedRequest,
    wording: Wording,
    head: object,
    signal: AbortSignal,
  ): Promise<void> {
    const closed = new AbortController()
    stream.onAbort(() => closed.abort())
    const gone = AbortSignal.any([signal, closed.signal])
    const send = (data: object) => stream.writeSSE({ data: JSON.stringify({ ...head, ...data }) })
    const choice = (
      text: string,
      first: boolean,
      finishReason: string | null,
      logprobs: object | null = null,
    ) => [{ index: 0, ...wording.piece(text, first), logprobs, finish_reason: finishReason }]
    let offset = 0
    try {
      if (wording === CHAT) await send({ choices: choice('', true, null) })
      const end = await readAll(generateText(model, request, gone), ({ text, tokens }) => {
        const asked = request.topLogProbs !== undefined
        const logprobs = asked ? wording.logProbs(model, tokens, offset) : null
        offset += text.length
        return send({ choices: choice(text, false, null, logprobs) })
      })
      await send({ choices: choice('', false, end.finishReason) })
      if (request.includeUsage) await send({ choices: [], usage: usage(request, end) })
      await stream.writeSSE({ data: '[DONE]' })
    } catch (error) {
      if (gone.aborted) return
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : error}\n`)
      await send(new ApiError(500, 'server_error', 'The model failed to answer').body)
    }
  }

  return app
}

async function readAll(
  pieces: AsyncGenerator<TextPiece, TextEnd>,
  onPiece: (piece: TextPiece) => unknown,
): Promise<TextEnd> {
  while (true) {
    const next = await pieces.next()
    if (next.done) return next.value
    await onPiece(next.value)
  }
}

async function readBody(context: Context): Promise<unknown> {
  // A page of another site may send text/plain without asking; JSON makes its browser ask first, and we do not allow it.
  if (!/^application\/json\b/i.test(context.req.header('content-type') ?? '')) {
    throw new ApiError(
      415,
      'invalid_request_error',
      'The body must be JSON, with content-type application/json',
    )
  }
  try {
    return await context.req.json()
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new ApiError(400, 'invalid_request_error', 'The body is not JSON')
    }
    throw error
  }
}

function usage({ promptIds }: ParsedRequest, { completionTokens }: TextEnd) {
  return {
    prompt_tokens: promptIds.length,
    completion_tokens: completionTokens,
    total_tokens: promptIds.length + completionTokens,
  }
}

function tooLarge(): never {
  throw new ApiError(413, 'invalid_request_error', `The body is larger than ${MOST_BODY_BYTES} bytes`)
}

export const isLoopback = (host: string) =>
  host === 'localhost' || host === '[::1]' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
