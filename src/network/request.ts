import { SmolforgeError } from '../errors.ts'

export interface RequestOptions {
  /** Goes to the host of the first address alone, whatever it redirects to. */
  token?: string
  headers?: Record<string, string>
  /** Statuses that are answers here, besides success. */
  accept?: readonly number[]
  /** Breaks the request off from outside. */
  signal?: AbortSignal
  /** What to do when the server refuses access, in the place of the words for a hub. */
  refusedHint?: string
  /** Without redirects: a signed request is good for one host alone. */
  stay?: boolean
}

export interface Answer {
  status: number
  /** Of the host that was asked, before any redirect. */
  first: Headers
  /** Of the host that sends the body. */
  last: Headers
  body: AsyncIterable<Uint8Array>
  /** Breaks the connection off when nothing comes for a minute; to be restarted with each chunk, ended at the end. */
  watch: { restart(): void; end(): void }
}

const MAX_REDIRECTS = 8
const IDLE_MS = 60_000

/**
 * One GET over HTTP(S), redirects followed by hand: the token never leaves the host it is for, and an encrypted
 * address never leads to a plain one.
 *
 * @throws SmolforgeError `network` or `input` in words for what the server refuses.
 */
export async function request(url: string, options: RequestOptions = {}): Promise<Answer> {
  const abort = new AbortController()
  const idle = () => abort.abort(new Error(`nothing came for ${IDLE_MS / 1000} s`))
  let timer = setTimeout(idle, IDLE_MS)
  const stopped = () => abort.abort(new Error('no longer wanted'))
  options.signal?.addEventListener('abort', stopped)
  if (options.signal?.aborted) stopped()
  const watch = {
    restart() {
      clearTimeout(timer)
      timer = setTimeout(idle, IDLE_MS)
    },
    end() {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', stopped)
    },
  }
  try {
    const origin = new URL(url).origin
    let address = new URL(url)
    let first: Headers | undefined
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const headers = new Headers(options.headers)
      if (options.token && address.origin === origin) headers.set('authorization', `Bearer ${options.token}`)
      const response = await fetch(address, { headers, redirect: 'manual', signal: abort.signal })
      first ??= response.headers
      const location = response.headers.get('location')
      if (response.status >= 300 && response.status < 400 && location !== null && !options.stay) {
        await response.body?.cancel()
        address = nextAddress(address, location)
        continue
      }
      if (!response.ok && !options.accept?.includes(response.status)) {
        await response.body?.cancel()
        throw refusal(response, url, options.refusedHint)
      }
      const body = (response.body ?? []) as AsyncIterable<Uint8Array>
      return { status: response.status, first, last: response.headers, body, watch }
    }
    throw new SmolforgeError('network', `More than ${MAX_REDIRECTS} redirects`, { place: { file: url } })
  } catch (error) {
    watch.end()
    throw connectionError(error, url, 'No connection')
  }
}

/** Whether the same request may succeed a moment later. */
export function isTransient(error: unknown): boolean {
  return error instanceof SmolforgeError && error.cause instanceof Transient
}

/** What the fetch of Node throws, in words; our own errors are passed on. */
export function connectionError(error: unknown, url: string, what: string): unknown {
  if (error instanceof SmolforgeError || !(error instanceof Error)) return error
  const cause = error.cause instanceof Error ? error.cause : error
  const reason = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
  const isHopeless = /^(ENOTFOUND|ECONNREFUSED|ERR_|CERT_|DEPTH_|SELF_SIGNED|UNABLE)/.test(reason)
  return new SmolforgeError(
    'network',
    `${what}: ${URL.canParse(url) ? new URL(url).host : url} (${reason})`,
    {
      place: { file: url },
      hint: 'Check the network and run the same command again; HF_ENDPOINT names another hub or a mirror of it.',
      cause: isHopeless ? error : new Transient(reason),
    },
  )
}

class Transient extends Error {}

function nextAddress(from: URL, location: string): URL {
  const to = new URL(location, from)
  const isWeb = to.protocol === 'https:' || to.protocol === 'http:'
  if (isWeb && !(from.protocol === 'https:' && to.protocol === 'http:')) return to
  throw new SmolforgeError(
    'network',
    `The server redirects to ${to.protocol}//${to.host}, which is not safe`,
    {
      place: { file: from.href },
    },
  )
}

function refusal({ status, headers }: Response, url: string, refusedHint?: string): SmolforgeError {
  const place = { file: url }
  const said = headers.get('x-error-message')
  const why = said ? ` ${said.slice(0, 200)}` : ''
  if (status === 401 || status === 403) {
    return new SmolforgeError('network', `The server does not let us have this (${status}).${why}`, {
      place,
      hint:
        refusedHint ??
        'Is the name right? A private or gated model needs HF_TOKEN, and its licence accepted on its page.',
    })
  }
  if (status === 404) {
    return new SmolforgeError('input', `There is nothing at this address (404).${why}`, {
      place,
      hint: refusedHint ?? 'Check owner, name and revision.',
    })
  }
  const cause = status === 429 || status >= 500 ? new Transient(`${status}`) : undefined
  return new SmolforgeError('network', `The server answers ${status}.${why}`, { place, cause })
}
