import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const KEYS = { id: 'AKIATEST', secret: 'a/secret+of=letters', region: 'eu-test-1' }

export interface TestStore {
  endpoint: string
  requests: string[]
  objects: Map<string, Buffer>
  /** What is done wrong, once for each entry, in the order of the requests for that key; the listing is the key ''. */
  misbehave: Map<string, ('truncate' | 'fail' | 'replace')[]>
  close(): Promise<void>
}

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
const etag = (bytes: Buffer) => `"${createHash('md5').update(bytes).digest('hex')}"`

/**
 * A store that speaks S3 as far as reading goes: a listing by pages of two, ranges, `If-Match`, and every request's
 * signature recomputed from Amazon's description of Signature Version 4.
 */
export async function startStore(bucket: string, files: Record<string, Buffer>): Promise<TestStore> {
  const objects = new Map(Object.entries(files))
  const requests: string[] = []
  const misbehave: TestStore['misbehave'] = new Map()
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://store')
    requests.push(`${url.pathname}${url.search} ${request.headers.range ?? ''}`.trim())
    const refused = wrongSignature(request, url)
    if (refused) return response.writeHead(403).end(`<Error><Code>${refused}</Code></Error>`)
    if (url.pathname === `/${bucket}/`) return list(url, response)
    const key = decodeURIComponent(url.pathname.slice(bucket.length + 2))
    const bytes = objects.get(key)
    if (!url.pathname.startsWith(`/${bucket}/`) || bytes === undefined) return response.writeHead(404).end()
    send(key, bytes, request, response)
  })

  function list(url: URL, response: ServerResponse) {
    if (misbehave.get('')?.shift() === 'fail') return response.writeHead(503).end()
    const prefix = url.searchParams.get('prefix') ?? ''
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort()
    const from = Number(url.searchParams.get('continuation-token') ?? 0)
    const shown = keys.slice(from, from + 2)
    const more = from + 2 < keys.length
    const contents = shown.map((key) => {
      const bytes = objects.get(key)!
      const name = encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+')
      return `<Contents><Key>${name}</Key><ETag>${etag(bytes).replaceAll('"', '&quot;')}</ETag><Size>${bytes.length}</Size></Contents>`
    })
    const next = more ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : ''
    response.end(
      `<?xml version="1.0"?><ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`,
    )
  }

  function send(key: string, whole: Buffer, request: IncomingMessage, response: ServerResponse) {
    const wrong = misbehave.get(key)?.shift()
    if (wrong === 'fail') return response.writeHead(503).end('<Error><Code>SlowDown</Code></Error>')
    if (wrong === 'replace') objects.set(key, Buffer.from('another object'))
    const now = objects.get(key)!
    const match = request.headers['if-match']
    if (match !== undefined && match !== etag(now)) return response.writeHead(412).end()
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const bytes = whole.subarray(from)
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': bytes.length,
      etag: etag(whole),
      ...(from > 0 && { 'content-range': `bytes ${from}-${whole.length - 1}/${whole.length}` }),
    })
    if (wrong !== 'truncate') return response.end(bytes)
    response.write(bytes.subarray(0, bytes.length >> 1), () => {
      // What is unread when a connection breaks is lost.
      setTimeout(() => response.destroy(), 200)
    })
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    objects,
    misbehave,
    close: () => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** docs.aws.amazon.com, "Signature Calculations for the Authorization Header": why a request is refused, if it is. */
function wrongSignature({ method = '', headers }: IncomingMessage, url: URL): string | undefined {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)$/
  const [, id, day, region, names = '', signature] = pattern.exec(headers.authorization ?? '') ?? []
  if (id === undefined) return 'AccessDenied'
  if (id !== KEYS.id || region !== KEYS.region) return 'InvalidAccessKeyId'
  const signed = names.split(';')
  for (const needed of ['host', 'x-amz-date', 'x-amz-content-sha256']) {
    if (!signed.includes(needed)) return `${needed} is not signed`
  }
  const encode = (text: string) =>
    encodeURIComponent(text).replace(
      /[!'()*]/g,
      (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
    )
  const path = url.pathname
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/')
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&')
  const canonical = [
    method,
    path,
    query,
    ...signed.map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    names,
    headers['x-amz-content-sha256'],
  ].join('\n')
  const date = String(headers['x-amz-date'])
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')
  const key = hmac(hmac(hmac(hmac(`AWS4${KEYS.secret}`, String(day)), String(region)), 's3'), 'aws4_request')
  return hmac(key, text).toString('hex') === signature ? undefined : 'SignatureDoesNotMatch'
}
