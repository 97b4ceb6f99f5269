import { randomInt } from 'node:crypto'
import { z } from 'zod'
import { ApiError } from './apiError.ts'
import type { ChatModel, ChatTurn } from './chatModel.ts'
import type { TextRequest } from './generateText.ts'

/** OpenAI's default for completions; a chat answers until it ends or the context is full. */
const COMPLETION_TOKENS = 16

// Fields that clients send and that change nothing here (user, store, metadata, ...) are passed over; those that
// would change the answer and are not there (n above 1, tools) are refused. top_k, min_p and repetition_penalty are not
// OpenAI's, but what other local servers call them.
const sharedSchema = z.looseObject({
  model: z.string().optional(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).max(10).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(4)]).nullish(),
  n: z.literal(1, { error: 'only one choice a request' }).nullish(),
  tools: z.array(z.unknown()).max(0, { error: 'this model calls no tools' }).nullish(),
})

const contentSchema = z.union([
  z.string(),
  z.array(z.looseObject({ type: z.literal('text'), text: z.string() })),
])

const chatSchema = sharedSchema.extend({
  messages: z
    .array(
      z.looseObject({ role: z.enum(['system', 'developer', 'user', 'assistant']), content: contentSchema }),
    )
    .min(1),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
})

const completionSchema = sharedSchema.extend({
  prompt: z.union([z.string(), z.tuple([z.string()]).transform(([text]) => text)], {
    error: 'one prompt, as a string',
  }),
  logprobs: z.int().min(0).max(5).nullish(),
})

export interface ParsedRequest extends TextRequest {
  stream: boolean
  includeUsage: boolean
}

/** What a body of `/v1/chat/completions` asks for. @throws ApiError 400 in OpenAI's words. */
export function parseChat(model: ChatModel, body: unknown): ParsedRequest {
  const request = check(chatSchema, body)
  const turns = request.messages.map(
    ({ role, content }): ChatTurn => ({
      role: role === 'developer' ? 'system' : role,
      content: typeof content === 'string' ? content : content.map((part) => part.text).join(''),
    }),
  )
  const promptIds = model.chatPrompt(turns)
  const { logprobs, top_logprobs: top } = request
  if (top != null && logprobs !== true) {
    throw new ApiError(400, 'invalid_request_error', 'top_logprobs needs logprobs: true', {
      param: 'top_logprobs',
    })
  }
  return {
    ...complete(model, request, promptIds, model.answerStopIds, Number.POSITIVE_INFINITY),
    topLogProbs: wanted(model, logprobs === true ? (top ?? 0) : undefined),
  }
}

/** What a body of `/v1/completions` asks for. @throws ApiError 400 in OpenAI's words. */
export function parseCompletion(model: ChatModel, body: unknown): ParsedRequest {
  const request = check(completionSchema, body)
  const encoded = model.tokenizer.encode(request.prompt, { addSpecialTokens: true })
  const promptIds = encoded.length > 0 ? encoded : Uint32Array.of(model.tokenizer.endOfTextId)
  return {
    ...complete(model, request, promptIds, [model.tokenizer.endOfTextId], COMPLETION_TOKENS),
    topLogProbs: wanted(model, request.logprobs ?? undefined),
  }
}

function complete(
  model: ChatModel,
  request: z.infer<typeof sharedSchema>,
  promptIds: Uint32Array,
  stopIds: readonly number[],
  defaultTokens: number,
): ParsedRequest {
  const context = model.llama.config.maxPositionEmbeddings
  const room = context - promptIds.length
  if (room < 1) {
    throw new ApiError(
      400,
      'invalid_request_error',
      `This model's context is ${context} tokens; the request has ${promptIds.length} and leaves no room to answer`,
      { code: 'context_length_exceeded' },
    )
  }
  const { stop } = request
  return {
    promptIds,
    maxTokens: Math.min(room, request.max_completion_tokens ?? request.max_tokens ?? defaultTokens),
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? undefined,
    topK: request.top_k ?? undefined,
    minP: request.min_p ?? undefined,
    repetitionPenalty: request.repetition_penalty ?? undefined,
    seed: request.seed ?? randomInt(2 ** 31),
    stopIds,
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
    stream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
  }
}

function wanted(model: ChatModel, topLogProbs: number | undefined): number | undefined {
  if (topLogProbs !== undefined && model.generateTokens === undefined) {
    throw new ApiError(400, 'invalid_request_error', 'This model gives no log-probabilities', {
      param: 'logprobs',
    })
  }
  return topLogProbs
}

function check<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const param = issue?.path.join('.') ?? ''
  throw new ApiError(400, 'invalid_request_error', `${param ? `${param}: ` : ''}${issue?.message}`, { param })
}
