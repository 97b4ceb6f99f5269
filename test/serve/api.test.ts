import { request } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { LanguageModel, Llama } from '../../src/model/index.ts'
import { Random } from '../../src/random/random.ts'
import { type ChatModel, type RunningServer, startServer } from '../../src/serve/index.ts'
import { trainTokenizer } from '../../src/tokenizer/index.ts'
import { ParrotModel } from './models.ts'

const servers: RunningServer[] = []

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function serve(model: ChatModel): Promise<string> {
  const server = await startServer({ model, name: 'tiny', port: 0 })
  servers.push(server)
  return server.url
}

/** The body of an answer, as loosely typed as a client's. */
// biome-ignore lint/suspicious/noExplicitAny: the expectations say what must be there
const read = (response: Response): Promise<any> => response.json()

function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  })
}

async function readEvents(response: Response): Promise<string[]> {
  return (await response.text())
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => event.replace(/^data: /, ''))
}

const hello = [{ role: 'user', content: 'Hello' }]

describe('a client of the OpenAI API', () => {
  it('finds the model, and an error for one that is not there', async () => {
    const url = await serve(new ParrotModel('x'))
    const list = await read(await fetch(`${url}/v1/models`))
    expect(list.data[0]).toMatchObject({ id: 'tiny', object: 'model', owned_by: 'smolforge' })
    expect((await fetch(`${url}/v1/models/tiny`)).status).toBe(200)
    const missing = await fetch(`${url}/v1/models/other`)
    expect(missing.status).toBe(404)
    expect((await read(missing)).error.code).toBe('model_not_found')
  })

  it('gets a whole chat answer with its usage', async () => {
    const url = await serve(new ParrotModel('hé '))
    const response = await post(`${url}/v1/chat/completions`, { messages: hello, max_tokens: 8 })
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      object: 'chat.completion',
      model: 'tiny',
      choices: [{ index: 0, message: { role: 'assistant', content: 'hé hé ' }, finish_reason: 'length' }],
      usage: { prompt_tokens: 12, completion_tokens: 8, total_tokens: 20 },
    })
  })

  it('gets the same text streamed, ended by its reason, usage and [DONE]', async () => {
    const url = await serve(new ParrotModel('hé '))
    const response = await post(`${url}/v1/chat/completions`, {
      messages: hello,
      max_tokens: 8,
      stream: true,
      stream_options: { include_usage: true },
    })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const events = await readEvents(response)
    expect(events.at(-1)).toBe('[DONE]')
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event))
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')
    expect(text).toBe('hé hé ')
    expect(chunks[0].choices[0].delta.role).toBe('assistant')
    expect(chunks.at(-2).choices[0].finish_reason).toBe('length')
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 8 } })
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1)
  })

  it('gets text up to a stop string that comes in pieces, without a byte of it', async () => {
    const url = await serve(new ParrotModel('one two END three'))
    const stopped = await post(`${url}/v1/completions`, {
      prompt: 'count',
      max_tokens: 500,
      stop: [' END', 'zzz'],
    })
    const body = await read(stopped)
    expect(body.choices[0]).toMatchObject({ text: 'one two', finish_reason: 'stop' })
    const near = await post(`${url}/v1/completions`, { prompt: 'count', max_tokens: 9, stop: ' ENX' })
    expect((await read(near)).choices[0]).toMatchObject({ text: 'one two E', finish_reason: 'length' })
  })

  it('is told in the shape of the API what is wrong with a request', async () => {
    const url = await serve(new ParrotModel('x'))
    const chat = `${url}/v1/chat/completions`
    const cases: [unknown, number, string][] = [
      ['{"messages": [', 400, 'not JSON'],
      [{}, 400, 'messages'],
      [{ messages: [] }, 400, 'messages'],
      [{ messages: [{ role: 'tool', content: 'x' }] }, 400, 'messages.0.role'],
      [{ messages: hello, temperature: 9 }, 400, 'temperature'],
      [{ messages: hello, max_tokens: 0 }, 400, 'max_tokens'],
      [{ messages: hello, n: 3 }, 400, 'only one choice'],
      [{ messages: hello, tools: [{ type: 'function' }] }, 400, 'no tools'],
      [{ messages: [{ role: 'user', content: 'x'.repeat(5000) }] }, 400, 'context is 4096 tokens'],
      [{ messages: [{ role: 'user', content: 'x'.repeat(2_000_000) }] }, 413, 'larger than'],
    ]
    for (const [body, status, words] of cases) {
      const response = await post(chat, body)
      const { error } = await read(response)
      expect([response.status, error.type]).toEqual([status, 'invalid_request_error'])
      expect(error.message).toContain(words)
    }
    const plain = await post(chat, { messages: hello }, { headers: { 'content-type': 'text/plain' } })
    expect(plain.status).toBe(415)
    expect((await fetch(`${url}/v1/nothing`)).status).toBe(404)
    expect((await post(chat, { messages: hello, max_tokens: 1 })).status).toBe(200)
  })

  it('keeps its turn in a queue: one answer at a time, in order', async () => {
    const model = new ParrotModel('abc', 1)
    const url = await serve(model)
    const order: number[] = []
    await Promise.all(
      [0, 1, 2].map(async (index) => {
        await new Promise((resolve) => setTimeout(resolve, 30 * index))
        await (await post(`${url}/v1/completions`, { prompt: 'x', max_tokens: 60 })).text()
        order.push(index)
      }),
    )
    expect(order).toEqual([0, 1, 2])
    expect(model.mostAnswering).toBe(1)
  })

  it.each([true, false])('stops the model by going away (stream: %s)', async (stream) => {
    const model = new ParrotModel('abc', 2)
    const url = await serve(model)
    const leaving = new AbortController()
    const asked = post(
      `${url}/v1/chat/completions`,
      { messages: hello, max_tokens: 4000, stream },
      { signal: leaving.signal },
    ).then((response) => response.text())
    while (model.made < 5) await new Promise((resolve) => setTimeout(resolve, 5))
    leaving.abort()
    await expect(asked).rejects.toThrow()
    // The next client is answered long before 4,000 tokens are made.
    await (await post(`${url}/v1/completions`, { prompt: 'x', max_tokens: 1 })).text()
    expect(model.made).toBeLessThan(2000)
    expect(model.answering).toBe(0)
  })

  it('is refused when it comes by another name than localhost, as a page of another site does', async () => {
    const url = new URL(await serve(new ParrotModel('x')))
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const asking = request({
        host: url.hostname,
        port: url.port,
        path: '/v1/models',
        headers: { host: 'evil.example' },
      })
      asking.on('response', (response) => resolve(response.resume().statusCode))
      asking.on('error', reject)
      asking.end()
    })
    expect(status).toBe(403)
  })

  it('is told that a port is taken', async () => {
    const url = await serve(new ParrotModel('x'))
    const port = Number(new URL(url).port)
    await expect(startServer({ model: new ParrotModel('x'), port })).rejects.toMatchObject({
      code: 'environment',
    })
  })
})

async function realModel(): Promise<LanguageModel> {
  async function* texts() {
    yield ['a small model on a small machine says small things', 'what is a model? a model is a machine']
  }
  const tokenizer = await trainTokenizer(texts(), { vocabSize: 300 })
  const config = {
    vocabSize: tokenizer.vocabSize,
    hiddenSize: 32,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    numKeyValueHeads: 1,
    intermediateSize: 64,
    maxPositionEmbeddings: 128,
    rmsNormEps: 1e-5,
    ropeTheta: 10_000,
    tieWordEmbeddings: true,
    initializerRange: 0.2,
  }
  return new LanguageModel(Llama.create(config, Random.derive(7, 'test')), tokenizer)
}

describe('a real model behind the API', () => {
  it('answers the same to the same seed, and as its own generate() does', async () => {
    const model = await realModel()
    const url = await serve(model)
    const ask = async (seed: number) => {
      const body = { messages: hello, max_tokens: 20, temperature: 0.9, seed }
      return (await read(await post(`${url}/v1/chat/completions`, body))).choices[0].message.content
    }
    const direct = [
      ...model.chat([{ role: 'user', content: 'Hello' }], { maxTokens: 20, temperature: 0.9, seed: 5 }),
    ]
    expect(await ask(5)).toBe(direct.join(''))
    expect(await ask(5)).toBe(await ask(5))
    expect(await ask(6)).not.toBe(await ask(5))
  })

  it('takes min_p and repetition_penalty as generate() does', async () => {
    const model = await realModel()
    const url = await serve(model)
    const body = { prompt: 'a model', max_tokens: 20, temperature: 1, seed: 3 }
    const ask = async (more: object) =>
      (await read(await post(`${url}/v1/completions`, { ...body, ...more }))).choices[0].text
    const greedy = await ask({ temperature: 0 })
    expect(await ask({ min_p: 1 })).toBe(greedy)
    expect(await ask({ top_k: 1 })).toBe(greedy)
    const options = { maxTokens: 20, temperature: 0, repetitionPenalty: 1.5 }
    const direct = [...model.generateText(model.tokenizer.encode('a model'), options)].join('')
    expect(await ask({ temperature: 0, repetition_penalty: 1.5 })).toBe(direct)
    expect(direct).not.toBe(greedy)
  })

  it('gives log-probabilities when asked, whole and streamed', async () => {
    const model = await realModel()
    const url = await serve(model)
    const chat = { messages: hello, max_tokens: 6, temperature: 0, logprobs: true, top_logprobs: 2 }
    const whole = (await read(await post(`${url}/v1/chat/completions`, chat))).choices[0]
    expect(whole.logprobs.content).toHaveLength(6)
    const { ids, logProbs } = model.topTokens(model.chatPrompt(hello as never), 2)
    const [first] = whole.logprobs.content
    expect(first.logprob).toBeCloseTo(logProbs[0]!, 4)
    expect(first.token).toBe(model.tokenizer.decode([ids[0]!]))
    expect(first.top_logprobs[1].logprob).toBeCloseTo(logProbs[1]!, 4)
    const events = await readEvents(await post(`${url}/v1/chat/completions`, { ...chat, stream: true }))
    const streamed = events
      .filter((event) => event !== '[DONE]')
      .flatMap((event) => JSON.parse(event).choices[0].logprobs?.content ?? [])
    expect(streamed).toEqual(whole.logprobs.content)

    const completion = { prompt: 'a model', max_tokens: 3, temperature: 0, logprobs: 1 }
    const { logprobs } = (await read(await post(`${url}/v1/completions`, completion))).choices[0]
    expect(logprobs.tokens).toHaveLength(3)
    expect(logprobs.text_offset[0]).toBe(0)
    expect(Object.values(logprobs.top_logprobs[0])[0]).toBeCloseTo(logprobs.token_logprobs[0], 5)
  })

  it('refuses log-probabilities that it cannot give', async () => {
    const url = await serve(new ParrotModel('x'))
    const refused = await post(`${url}/v1/chat/completions`, { messages: hello, logprobs: true })
    expect(refused.status).toBe(400)
    expect((await read(refused)).error.param).toBe('logprobs')
    const without = await post(`${url}/v1/chat/completions`, { messages: hello, top_logprobs: 2 })
    expect((await read(without)).error.param).toBe('top_logprobs')
  })
})
