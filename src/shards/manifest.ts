import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../errors.ts'

export const MANIFEST_FILE = 'shards.json'
/** For each document two u32, little-endian: its tokens and the bytes of its id. */
export const LENGTHS_FILE = 'documents.bin'
/** The ids of the documents in UTF-8, end to end. */
export const IDS_FILE = 'documents.ids'

const count = z.int().nonnegative()
const storedFileSchema = z.object({
  // A plain name: a manifest from elsewhere must not lead out of its folder.
  file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

const manifestSchema = z.object({
  format: z.literal('smolforge-shards'),
  version: z.literal(1),
  domain: z.string(),
  dtype: z.enum(['u16', 'u32']),
  vocabSize: z.int().positive(),
  endOfTextId: count,
  tokens: count,
  documents: count,
  shards: z.array(storedFileSchema.extend({ tokens: count })),
  lengths: storedFileSchema,
  ids: storedFileSchema,
})

export type StoredFile = z.infer<typeof storedFileSchema>
export type ShardManifest = z.infer<typeof manifestSchema>

export function bytesPerToken(dtype: ShardManifest['dtype']): 2 | 4 {
  return dtype === 'u16' ? 2 : 4
}

/**
 * Reads `shards.json` and checks that its numbers fit each other.
 *
 * @throws SmolforgeError `input` where there is none, `damaged` where it is not what was written.
 */
export async function readManifest(dir: string): Promise<ShardManifest> {
  const path = join(dir, MANIFEST_FILE)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw fileError(error, path)
  }
  const damaged = (what: string, cause?: unknown): SmolforgeError =>
    new SmolforgeError('damaged', `The list of shards is damaged: ${what}`, { place: { file: path }, cause })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw damaged('no JSON', cause)
  }
  const parsed = manifestSchema.safeParse(json)
  if (!parsed.success) throw damaged(z.prettifyError(parsed.error), parsed.error)
  const manifest = parsed.data
  const width = bytesPerToken(manifest.dtype)
  const tokens = manifest.shards.reduce((sum, shard) => sum + shard.tokens, 0)
  if (tokens !== manifest.tokens) throw damaged(`its shards have ${tokens} tokens, not ${manifest.tokens}`)
  const odd = manifest.shards.find((shard) => shard.bytes !== shard.tokens * width)
  if (odd) throw damaged(`${odd.file} cannot hold ${odd.tokens} tokens in ${odd.bytes} bytes`)
  if (manifest.lengths.bytes !== manifest.documents * 8)
    throw damaged('the index has another number of documents')
  return manifest
}
