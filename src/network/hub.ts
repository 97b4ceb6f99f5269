import { z } from 'zod'
import { SmolforgeError } from '../errors.ts'
import { request } from './request.ts'

/** A repository on a Hugging Face hub. */
export interface HubReference {
  /** Default `models`. */
  kind?: 'models' | 'datasets'
  owner: string
  name: string
  /** Branch, tag or commit. */
  revision: string
}

export interface HubSettings {
  /** Without a slash at its end. */
  endpoint: string
  token?: string
}

/** One file of a revision, with what the hub says of it. */
export interface HubFile {
  path: string
  url: string
  bytes?: number
  sha256?: string
  gitBlob?: string
}

export interface HubListing {
  /** Of the revision, where the hub says it: files are asked for by it, so that a push in between changes nothing. */
  commit?: string
  files: HubFile[]
}

const PART = '[A-Za-z0-9][\\w.-]*'
const HUB_ID = new RegExp(`^(${PART})/(${PART})(?:@(${PART}(?:/${PART})*))?$`)

/** `owner/name` or `owner/name@revision`; undefined for anything else. */
export function parseHubId(id: string): HubReference | undefined {
  const [, owner, name, revision = 'main'] = HUB_ID.exec(id) ?? []
  return owner === undefined || name === undefined ? undefined : { owner, name, revision }
}

/** HF_ENDPOINT (a mirror, a hub of one's own) and HF_TOKEN, as Hugging Face's programs take them. */
export function hubSettings(env: NodeJS.ProcessEnv): HubSettings {
  const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
    throw new SmolforgeError('usage', `HF_ENDPOINT is no address: ${endpoint}`, {
      hint: 'For example HF_ENDPOINT=https://huggingface.co',
    })
  }
  return { endpoint, token: env.HF_TOKEN || undefined }
}

const listingSchema = z.looseObject({
  sha: z.string().optional(),
  siblings: z.array(
    z.looseObject({
      rfilename: z.string(),
      size: z.int().nonnegative().optional(),
      blobId: z.string().optional(),
      lfs: z.looseObject({ sha256: z.string().optional(), size: z.int().nonnegative().optional() }).nullish(),
    }),
  ),
})

const MAX_LISTING_BYTES = 32 << 20

/**
 * The files of a revision, through the hub's API.
 *
 * @throws SmolforgeError `input` where there is no such repository, `network` where the hub refuses or cannot be reached.
 */
export async function listHubFiles(reference: HubReference, settings: HubSettings): Promise<HubListing> {
  const { kind = 'models', owner, name, revision } = reference
  const { endpoint, token } = settings
  const url = `${endpoint}/api/${kind}/${owner}/${name}/revision/${encodeURIComponent(revision)}?blobs=true`
  const parsed = listingSchema.safeParse(await readJson(url, token))
  if (!parsed.success) {
    throw new SmolforgeError('network', 'The answer is not the listing of a repository', {
      place: { file: url },
    })
  }
  const commit = /^[0-9a-f]{40}$/.exec(parsed.data.sha ?? '')?.[0]
  const at = encodeURIComponent(commit ?? revision)
  return {
    commit,
    files: parsed.data.siblings.map(({ rfilename, size, blobId, lfs }) => ({
      path: rfilename,
      url: `${endpoint}${kind === 'models' ? '' : `/${kind}`}/${owner}/${name}/resolve/${at}/${rfilename.split('/').map(encodeURIComponent).join('/')}`,
      bytes: lfs?.size ?? size,
      sha256: /^[0-9a-f]{64}$/.exec(lfs?.sha256 ?? '')?.[0],
      // The blob of a file in LFS is the pointer to it, not the file.
      gitBlob: lfs ? undefined : /^[0-9a-f]{40}$/.exec(blobId ?? '')?.[0],
    })),
  }
}

async function readJson(url: string, token?: string): Promise<unknown> {
  const { body, watch } = await request(url, { token })
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of body) {
      watch.restart()
      bytes += chunk.byteLength
      if (bytes > MAX_LISTING_BYTES) throw new Error(`more than ${MAX_LISTING_BYTES} bytes`)
      chunks.push(chunk)
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (cause) {
    throw new SmolforgeError('network', 'The answer is not the listing of a repository', {
      place: { file: url },
      cause,
    })
  } finally {
    watch.end()
  }
}
