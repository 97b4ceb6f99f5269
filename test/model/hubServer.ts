import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HubRequest {
  host: string
  url: string
  authorization?: string
  range?: string
}

/** What a server of the test does wrong, once for each entry, in the order of the requests for that file. */
export type Misbehaviour = 'truncate' | 'fail' | 'corrupt' | 'ignore-range'

export interface TestHub {
  endpoint: string
  requests: HubRequest[]
  misbehave: Map<string, Misbehaviour[]>
  close(): Promise<void>
}

export const COMMIT = '0123456789abcdef0123456789abcdef01234567'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const gitBlob = (bytes: Buffer) =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')

/**
 * A hub as Hugging Face's behaves: a listing by its API, small files from the hub itself, files in LFS by a redirect to
 * a store on another origin. Both are real HTTP servers on loopback.
 */
export async function startHub(
  files: Record<string, Buffer>,
  options: {
    model?: string
    kind?: 'models' | 'datasets'
    token?: string
    lfs?: RegExp
    announced?: Record<string, Buffer>
  } = {},
): Promise<TestHub> {
  const {
    model = 'tiny/model',
    kind = 'models',
    token,
    lfs = /\.(safetensors|gguf|parquet)$/,
    announced = {},
  } = options
  const requests: HubRequest[] = []
  const misbehave = new Map<string, Misbehaviour[]>()

  const store = await listen((request, response) => {
    note(request, 'store')
    const name = decodeURIComponent((request.url ?? '').slice(1))
    send(request, response, name)
  })

  const hub = await listen((request, response) => {
    note(request, 'hub')
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      const refused = request.headers.authorization ? 403 : 401
      response.writeHead(refused, { 'x-error-message': 'Access to this model is restricted.' }).end()
      return
    }
    const url = new URL(request.url ?? '', 'http://hub')
    const listing = new RegExp(
      `^/api/${kind}/${model}/revision/(main|v2|refs%2Fconvert%2Fparquet|${COMMIT})$`,
    )
    const resolve = new RegExp(
      `^${kind === 'models' ? '' : `/${kind}`}/${model}/resolve/${COMMIT}/(.+)$`,
    ).exec(url.pathname)
    if (listing.test(url.pathname)) {
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({ sha: COMMIT, siblings: siblings(url.searchParams.get('blobs') === 'true') }),
      )
    } else if (resolve && Object.hasOwn(files, decodeURIComponent(resolve[1]))) {
      const name = decodeURIComponent(resolve[1])
      if (!lfs.test(name)) return send(request, response, name)
      response.writeHead(302, {
        location: `${store.origin}/${encodeURIComponent(name)}`,
        'x-linked-etag': `"${sha256(announced[name] ?? files[name])}"`,
        'x-linked-size': String(files[name].length),
      })
      response.end()
    } else response.writeHead(404).end()
  })

  function siblings(blobs: boolean) {
    return Object.entries({ ...files, ...announced }).map(([rfilename, bytes]) => ({
      rfilename,
      ...(blobs && { size: bytes.length, blobId: gitBlob(bytes) }),
      ...(blobs && lfs.test(rfilename) && { lfs: { sha256: sha256(bytes), size: bytes.length } }),
    }))
  }

  function note({ url = '', headers }: IncomingMessage, host: string) {
    requests.push({ host, url, authorization: headers.authorization, range: headers.range })
  }

  function send(request: IncomingMessage, response: ServerResponse, name: string) {
    const wrong = misbehave.get(name)?.shift()
    if (wrong === 'fail') return response.writeHead(503).end()
    const whole = files[name]
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    if (from >= whole.length && from > 0) {
      return response.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end()
    }
    const isPart = from > 0 && wrong !== 'ignore-range'
    const bytes = Buffer.from(isPart ? whole.subarray(from) : whole)
    if (wrong === 'corrupt') bytes[bytes.length - 1] ^= 1
    response.writeHead(isPart ? 206 : 200, {
      'content-length': bytes.length,
      ...(isPart && { 'content-range': `bytes ${from}-${whole.length - 1}/${whole.length}` }),
    })
    if (wrong !== 'truncate') return response.end(bytes)
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => {
      // Long enough for the other side to have read the half: what is unread when a connection breaks is lost.
      setTimeout(() => response.destroy(), 200)
    })
  }

  return {
    endpoint: hub.origin,
    requests,
    misbehave,
    close: async () => {
      await hub.close()
      await store.close()
    },
  }
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
