export interface Turn {
  role: 'system' | 'user' | 'assistant'
  content: string
}

export interface Settings {
  temperature: number
  maxTokens: number
}

export interface ModelFacts {
  name: string
  contextTokens: number
}

export class ContextFull extends Error {}

/** The model that this page's server serves. */
export async function fetchModel(): Promise<ModelFacts> {
  const response = await fetch('/v1/models')
  const { data } = await response.json()
  return { name: data[0].id, contextTokens: data[0].context_length }
}

/**
 * Streams an answer, piece by piece, and says why it ended.
 *
 * @throws ContextFull when the conversation is longer than the model can read.
 */
export async function streamAnswer(
  turns: readonly Turn[],
  { temperature, maxTokens }: Settings,
  signal: AbortSignal,
  onPiece: (piece: string) => void,
): Promise<string> {
  const response = await fetch('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: turns, stream: true, temperature, max_tokens: maxTokens }),
    signal,
  })
  if (!response.ok || response.body === null) {
    const { error } = await response.json()
    if (error.code === 'context_length_exceeded') throw new ContextFull(error.message)
    throw new Error(error.message)
  }
  let reason = 'stop'
  for await (const data of readEvents(response.body)) {
    if (data === '[DONE]') break
    const { choices, error } = JSON.parse(data)
    if (error) throw new Error(error.message)
    const choice = choices[0]
    if (choice?.delta?.content) onPiece(choice.delta.content)
    if (choice?.finish_reason) reason = choice.finish_reason
  }
  return reason
}

/** The data of each server-sent event; a chunk of the network may hold a part of one or several. */
async function* readEvents(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  while (true) {
    const { done, value } = await reader.read()
    if (done) return
    const events = (rest + value).split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) {
      const lines = event.split('\n').filter((line) => line.startsWith('data:'))
      if (lines.length > 0) yield lines.map((line) => line.slice(5).trimStart()).join('\n')
    }
  }
}
