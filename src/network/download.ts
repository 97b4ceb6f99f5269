import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { fileError, SmolforgeError } from '../errors.ts'
import { connectionError, isTransient, request } from './request.ts'

/** A file to fetch, with what is known of it beforehand. */
export interface WantedFile {
  url: string
  /** Where it goes; while it is on its way it is `path` with `.part` behind. */
  path: string
  bytes?: number
  /** SHA-256 in hex: the oid of a file in LFS. */
  sha256?: string
  /** SHA-1 of git's blob in hex, which small files in a git repository have. */
  gitBlob?: string
}

export interface DownloadOptions {
  token?: string
  /** Told the bytes of this file that are there, as they come. */
  onBytes?: (bytes: number) => void
  /** The pause before the second attempt; each further one is twice as long. */
  retryDelayMs?: number
  /** Breaks the download off; what is there already stays for another time. */
  signal?: AbortSignal
  /** Headers for one request to the file's address, made anew for each attempt: a signature is good for a few minutes. */
  authorise?: (url: string, headers: Record<string, string>) => Promise<Record<string, string>>
  refusedHint?: string
}

const MAX_ATTEMPTS_WITHOUT_PROGRESS = 5
const RETRY_DELAY_MS = 1000

/**
 * Downloads one file. A connection that breaks is taken up where it broke, also by a later call that finds the `.part`
 * file. Size and hash are checked before the file gets its name; a resumed file that fails is fetched anew once.
 *
 * @returns the file's size, and its SHA-256 in hex.
 * @throws SmolforgeError `network` when it cannot be had, `damaged` when it is not the file that was announced.
 */
export async function downloadFile(
  wanted: WantedFile,
  options: DownloadOptions = {},
): Promise<{ bytes: number; sha256: string }> {
  const part = `${wanted.path}.part`
  // A file that an earlier call finished is looked at like one that is half there: its bytes are counted and hashed.
  await rename(wanted.path, part).catch(() => {})
  let began = await sizeOf(part)
  for (;;) {
    const announced = await receiveWhole(wanted, part, options)
    const found = await hashes(part)
    const problem = difference({ ...announced, ...definedOf(wanted) }, found)
    if (problem === undefined) {
      await rename(part, wanted.path).catch((error) => {
        throw fileError(error, wanted.path)
      })
      return found
    }
    await rm(part, { force: true })
    // What an earlier attempt left may be of another version of the file.
    if (began === 0) {
      throw new SmolforgeError('damaged', `The download is not the file that was announced: ${problem}`, {
        place: { file: wanted.url },
        hint: 'It was removed. Try again; if it happens again do not trust this source.',
      })
    }
    began = 0
  }
}

type Announced = Pick<WantedFile, 'bytes' | 'sha256' | 'gitBlob'>

/** Appends to the part file until the server has no more, over as many connections as it takes. */
async function receiveWhole(wanted: WantedFile, part: string, options: DownloadOptions): Promise<Announced> {
  const { retryDelayMs = RETRY_DELAY_MS } = options
  let before = await sizeOf(part)
  for (let attempt = 1; ; attempt++) {
    try {
      if (wanted.bytes !== undefined && before === wanted.bytes && before > 0) return {}
      return await receive(wanted, part, before, options)
    } catch (error) {
      const have = await sizeOf(part)
      if (have > before) attempt = 1
      before = have
      if (options.signal?.aborted || !isTransient(error) || attempt >= MAX_ATTEMPTS_WITHOUT_PROGRESS)
        throw error
      await new Promise((resolve) => setTimeout(resolve, retryDelayMs * 2 ** (attempt - 1)))
    }
  }
}

async function receive(
  wanted: WantedFile,
  part: string,
  from: number,
  { token, onBytes = () => {}, signal, authorise, refusedHint }: DownloadOptions,
): Promise<Announced> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  if (from > 0) headers.range = `bytes=${from}-`
  const { status, body, first, last, watch } = await request(wanted.url, {
    token,
    headers: authorise === undefined ? headers : await authorise(wanted.url, headers),
    accept: [416],
    signal,
    refusedHint,
    stay: authorise !== undefined,
  })
  const announced = announcedBy(first)
  try {
    if (status === 416) {
      const total = Number(/\/(\d+)$/.exec(last.get('content-range') ?? '')?.[1])
      if (total === from) return announced
      await rm(part, { force: true })
      throw new Error('the server has fewer bytes than were fetched')
    }
    const begin = status === 206 ? rangeStart(last.get('content-range')) : 0
    if (begin !== 0 && begin !== from) {
      throw new SmolforgeError('network', `The server sent bytes from ${begin}, asked for was ${from}`, {
        place: { file: wanted.url },
      })
    }
    const limit = wanted.bytes ?? announced.bytes ?? Number.POSITIVE_INFINITY
    const handle = await open(part, begin === 0 ? 'w' : 'r+')
    try {
      let position = begin
      for await (const chunk of body) {
        watch.restart()
        if (position + chunk.byteLength > limit) {
          throw new SmolforgeError('damaged', `The server sends more than the ${limit} bytes of this file`, {
            place: { file: wanted.url },
          })
        }
        await handle.write(chunk, 0, chunk.byteLength, position)
        position += chunk.byteLength
        onBytes(position)
      }
      await handle.sync()
      if (position < limit && limit !== Number.POSITIVE_INFINITY)
        throw new Error(`ended after ${position} bytes`)
    } finally {
      await handle.close()
    }
    return announced
  } catch (error) {
    throw connectionError(fileError(error, part), wanted.url, 'The connection broke off')
  } finally {
    watch.end()
  }
}

/** What a hub says of a file on the answer that redirects to its store. */
function announcedBy(headers: Headers): Announced {
  const tag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '').replace(/^W\/|"/g, '')
  const size = headers.get('x-linked-size')
  return {
    ...(size !== null && /^\d+$/.test(size) ? { bytes: Number(size) } : {}),
    ...(headers.has('x-linked-etag') && /^[0-9a-f]{64}$/.test(tag) ? { sha256: tag } : {}),
  }
}

function rangeStart(contentRange: string | null): number {
  return Number(/^bytes (\d+)-/.exec(contentRange ?? '')?.[1] ?? Number.NaN)
}

async function hashes(path: string): Promise<{ bytes: number; sha256: string; gitBlob: string }> {
  const bytes = await sizeOf(path)
  const sha256 = createHash('sha256')
  const blob = createHash('sha1').update(`blob ${bytes}\0`)
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      sha256.update(chunk as Buffer)
      blob.update(chunk as Buffer)
    }
  } catch (error) {
    throw fileError(error, path)
  }
  return { bytes, sha256: sha256.digest('hex'), gitBlob: blob.digest('hex') }
}

function difference(wanted: Announced, found: Required<Announced>): string | undefined {
  for (const [what, key] of [
    ['bytes', 'bytes'],
    ['SHA-256', 'sha256'],
    ['git blob', 'gitBlob'],
  ] as const) {
    const expected = wanted[key]
    if (expected !== undefined && expected !== found[key])
      return `${what} ${found[key]}, expected ${expected}`
  }
  return undefined
}

const definedOf = ({ bytes, sha256, gitBlob }: Announced): Announced =>
  Object.fromEntries(Object.entries({ bytes, sha256, gitBlob }).filter(([, value]) => value !== undefined))

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}
