import { AwsV4Signer } from 'aws4fetch'
import { SmolforgeError } from '../../errors.ts'
import { downloadFile } from '../../network/download.ts'
import { isTransient, request } from '../../network/request.ts'
import { type FileChoice, fileFilter } from '../files.ts'
import type { RemoteFile } from './remote.ts'

export interface S3Options {
  env?: NodeJS.ProcessEnv
  retryDelayMs?: number
}

interface Bucket {
  /** The address that a key is put behind, with a slash at its end. */
  base: string
  authorise(url: string, headers: Record<string, string>): Promise<Record<string, string>>
}

const MAX_LISTING_BYTES = 32 << 20
const MAX_ATTEMPTS = 5
const REFUSED_HINT =
  'Check the address, AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (without them a request is not signed).'

/**
 * The objects below `s3://bucket/prefix` of any store that speaks S3. The environment says where and who, in the names
 * of the AWS command line: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION or AWS_DEFAULT_REGION,
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. Globs match the key behind the prefix's last slash.
 *
 * @throws SmolforgeError `recipe`, `usage`, `input` or `network`.
 */
export async function listS3Objects(
  address: string,
  choice: FileChoice,
  options: S3Options = {},
): Promise<RemoteFile[]> {
  const [, name, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(address) ?? []
  if (name === undefined) {
    throw new SmolforgeError('recipe', `Not an address in S3: ${address}`, {
      place: { field: 's3' },
      hint: 'Write s3://bucket/prefix/.',
    })
  }
  const bucket = openBucket(name, options.env ?? process.env)
  const matches = fileFilter(choice)
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const files: RemoteFile[] = []
  for await (const { key, bytes, etag } of listObjects(bucket, prefix, options)) {
    const inside = key.slice(folder.length)
    if (key.endsWith('/') || !matches(inside === '' ? key : inside)) continue
    files.push({
      name: inside === '' ? key : inside,
      bytes,
      address: `s3://${name}/${key}@${etag}`,
      async download(path, signal) {
        const url = bucket.base + encodeKey(key)
        await downloadFile(
          { url, path, bytes },
          {
            signal,
            retryDelayMs: options.retryDelayMs,
            refusedHint: REFUSED_HINT,
            // An object that is replaced while it is read would be half of one and half of the other.
            authorise: (to, headers) =>
              bucket.authorise(to, etag === '' ? headers : { ...headers, 'if-match': etag }),
          },
        )
      },
    })
  }
  if (files.length === 0) {
    throw new SmolforgeError('input', `No object in ${address} matches the source`, {
      place: { field: 's3' },
    })
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function openBucket(name: string, env: NodeJS.ProcessEnv): Bucket {
  const endpoint = (env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || '').replace(/\/+$/, '')
  if (endpoint !== '' && !(URL.canParse(endpoint) && /^https?:/.test(endpoint))) {
    throw new SmolforgeError('usage', `AWS_ENDPOINT_URL is no address: ${endpoint}`)
  }
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1'
  // A name with dots is not covered by the certificate of the host that would be made of it.
  const home = name.includes('.') ? `https://s3.${region}.amazonaws.com/${name}/` : undefined
  const base =
    endpoint !== '' ? `${endpoint}/${name}/` : (home ?? `https://${name}.s3.${region}.amazonaws.com/`)
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
  if (!accessKeyId !== !secretAccessKey) {
    throw new SmolforgeError('usage', 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together')
  }
  return {
    base,
    async authorise(url, headers) {
      // Whoever has no keys may read what is open to all.
      if (!accessKeyId || !secretAccessKey) return headers
      const sessionToken = env.AWS_SESSION_TOKEN || undefined
      const key = { accessKeyId, secretAccessKey, sessionToken }
      // A fetch of a range says a second time which encodings it takes: what changes on the way cannot be signed.
      const { 'accept-encoding': encoding, ...stable } = headers
      const signed = await new AwsV4Signer({ url, headers: stable, ...key, service: 's3', region }).sign()
      const all = Object.fromEntries(signed.headers)
      return encoding === undefined ? all : { ...all, 'accept-encoding': encoding }
    },
  }
}

async function* listObjects(
  bucket: Bucket,
  prefix: string,
  options: S3Options,
): AsyncGenerator<{ key: string; bytes: number; etag: string }> {
  for (let token = ''; ; ) {
    const query = new URLSearchParams({ 'list-type': '2', 'encoding-type': 'url', prefix })
    if (token !== '') query.set('continuation-token', token)
    const url = `${bucket.base}?${query}`.replaceAll('+', '%20')
    const xml = await readListing(bucket, url, options)
    for (const [, entry = ''] of xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)) {
      const bytes = Number(field(entry, 'Size'))
      const key = decodeURIComponent((field(entry, 'Key') ?? '').replaceAll('+', ' '))
      if (key !== '' && Number.isSafeInteger(bytes)) yield { key, bytes, etag: field(entry, 'ETag') ?? '' }
    }
    const next = field(xml, 'NextContinuationToken')
    if (field(xml, 'IsTruncated') !== 'true' || !next || next === token) return
    token = next
  }
}

async function readListing(bucket: Bucket, url: string, { retryDelayMs = 1000 }: S3Options): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      const headers = await bucket.authorise(url, {})
      const { body, watch } = await request(url, { headers, stay: true, refusedHint: REFUSED_HINT })
      try {
        const chunks: Uint8Array[] = []
        let bytes = 0
        for await (const chunk of body) {
          watch.restart()
          bytes += chunk.byteLength
          if (bytes > MAX_LISTING_BYTES) throw notListing(url)
          chunks.push(chunk)
        }
        const xml = Buffer.concat(chunks).toString('utf8')
        if (!xml.includes('<ListBucketResult')) throw notListing(url)
        return xml
      } finally {
        watch.end()
      }
    } catch (error) {
      if (!isTransient(error) || attempt >= MAX_ATTEMPTS) throw error
      await new Promise((resolve) => setTimeout(resolve, retryDelayMs * 2 ** (attempt - 1)))
    }
  }
}

const notListing = (url: string) =>
  new SmolforgeError('network', 'The answer is not the listing of a bucket', { place: { file: url } })

/** The text of the first element of this name: a listing has no attributes and, with keys encoded, little to unescape. */
function field(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]
  return text?.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&')
}

const encodeKey = (key: string) =>
  key
    .split('/')
    .map((part) =>
      encodeURIComponent(part).replace(
        /[!'()*]/g,
        (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
      ),
    )
    .join('/')
