import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SeenRequest {
  path: string
  authorization: string | undefined
  body: {
    model: string
    temperature?: number
    max_tokens?: number
    messages: { role: string; content: string }[]
  }
  /** The document, as it stands between the fences. */
  document: string
  at: number
}

/** How the server takes one request; `undefined` for an orderly answer with `score`. */
export type Behaviour = (
  request: SeenRequest,
  response: ServerResponse,
  count: number,
) => boolean | Promise<boolean>

/**
 * A judge on a real socket. `behave` gets each request with how often this document was asked for before, and returns true
 * when it has dealt with it in its own way; otherwise the answer is the number that `score` gives.
 */
export async function startJudge(
  score: (request: SeenRequest) => number | string,
  behave: Behaviour = () => false,
) {
  const requests: SeenRequest[] = []
  const asked = new Map<string, number>()
  let atOnce = 0
  const stats = { mostAtOnce: 0 }
  const server = createServer((request, response) => {
    void (async () => {
      atOnce++
      stats.mostAtOnce = Math.max(stats.mostAtOnce, atOnce)
      response.once('close', () => atOnce--)
      const seen = await read(request)
      const count = asked.get(seen.document) ?? 0
      asked.set(seen.document, count + 1)
      requests.push(seen)
      if (await behave(seen, response, count)) return
      const said = score(seen)
      complete(response, typeof said === 'number' ? `It explains a little.\nScore: ${said}` : said)
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    stats,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

export function complete(response: ServerResponse, content: string): void {
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1000, completion_tokens: 100 },
    }),
  )
}

async function read(request: IncomingMessage): Promise<SeenRequest> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const body = JSON.parse(Buffer.concat(pieces).toString('utf8')) as SeenRequest['body']
  const question = body.messages.find(({ role }) => role === 'user')?.content ?? ''
  const [, document = ''] = /^=== [0-9a-f]{16} ===\n([\s\S]*)\n=== [0-9a-f]{16} ===\n/.exec(question) ?? []
  const { url = '', headers } = request
  return { path: url, authorization: headers.authorization, body, document, at: performance.now() }
}
