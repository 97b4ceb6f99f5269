import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'
import { publishFolder, writeFileAtomic } from '../files/atomic.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../progress/progress.ts'
import { HashedFile } from './hashed-file.ts'
import { shardKernels } from './kernels.ts'
import { bytesPerToken, IDS_FILE, LENGTHS_FILE, MANIFEST_FILE, type ShardManifest } from './manifest.ts'
import { ShardSet } from './set.ts'

export interface TokenizedDocument {
  id: string
  tokens: Uint32Array
}

/** Documents that are encoded already as a shard has them, each with its end token. */
export interface PackedDocuments {
  ids: readonly string[]
  /** Little-endian ids of all documents, 2 bytes each up to a vocabulary of 65,536 and 4 above. */
  tokens: Uint8Array
  /** Tokens of each document. */
  counts: Uint32Array
}

export interface WriteShardsOptions {
  domain: string
  vocabSize: number
  endOfTextId: number
  /** A shard is closed at the first document that takes it to this many tokens. Default 2^26. */
  shardTokens?: number
  onProgress?: Progress
  stop?: StopSignal
}

/**
 * Writes one domain's documents as packed tokens: shards, an index of documents, and `shards.json` with checksums.
 * Every document ends with `endOfTextId` (it is added where it is missing). Memory is bounded by one batch. The folder
 * appears whole by one rename; it must not exist before.
 *
 * @throws SmolforgeError `usage` when the folder exists, `input` for a token outside the vocabulary, `storage`.
 */
export async function writeShards(
  dir: string,
  documents: AsyncIterable<readonly TokenizedDocument[] | PackedDocuments>,
  options: WriteShardsOptions,
): Promise<ShardSet> {
  if (existsSync(dir)) {
    throw new SmolforgeError('usage', 'The folder for the shards exists already', { place: { file: dir } })
  }
  const { vocabSize, endOfTextId } = options
  if (
    !(Number.isInteger(endOfTextId) && endOfTextId >= 0 && endOfTextId < vocabSize && vocabSize <= 2 ** 31)
  ) {
    throw new SmolforgeError('usage', `endOfTextId ${endOfTextId} is outside the vocabulary of ${vocabSize}`)
  }
  const partial = join(dirname(dir), `.${basename(dir)}.partial`)
  try {
    await rm(partial, { recursive: true, force: true })
    await mkdir(partial, { recursive: true })
    await writeFiles(partial, documents, options)
    await publishFolder(partial, dir)
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {})
    throw fileError(error, dir)
  }
  return ShardSet.open(dir, { verify: 'sizes' })
}

async function writeFiles(
  dir: string,
  documents: AsyncIterable<readonly TokenizedDocument[] | PackedDocuments>,
  options: WriteShardsOptions,
): Promise<void> {
  const {
    domain,
    vocabSize,
    endOfTextId,
    shardTokens = 2 ** 26,
    onProgress = noProgress,
    stop = neverStop,
  } = options
  const dtype = vocabSize <= 65536 ? 'u16' : 'u32'
  const width = bytesPerToken(dtype)
  const shards: ShardManifest['shards'] = []
  const lengthsFile = await HashedFile.create(join(dir, LENGTHS_FILE))
  const idsFile = await HashedFile.create(join(dir, IDS_FILE))
  let shard: HashedFile | undefined
  let shardLength = 0
  let tokens = 0
  let count = 0

  const closeShard = async (): Promise<void> => {
    if (shard === undefined) return
    shards.push({ ...(await shard.close()), tokens: shardLength })
    shard = undefined
    shardLength = 0
  }
  try {
    for await (const batch of documents) {
      if (stop.stopped) throw new SmolforgeError('interrupted', `Writing the shards of ${domain} was stopped`)
      const { ids, tokens: packed, counts } = 'counts' in batch ? batch : pack(batch, options, width)
      const index = new Uint32Array(ids.length * 2)
      const idBytes = ids.map((id) => Buffer.from(id))
      let at = 0
      // Documents that go into one shard are written as one piece.
      let from = 0
      for (let i = 0; i < ids.length; i++) {
        at += counts[i]
        shardLength += counts[i]
        index[2 * i] = counts[i]
        index[2 * i + 1] = idBytes[i].length
        if (shardLength < shardTokens && i + 1 < ids.length) continue
        shard ??= await HashedFile.create(join(dir, `shard-${String(shards.length).padStart(5, '0')}.bin`))
        await shard.write(packed.subarray(from * width, at * width))
        from = at
        if (shardLength >= shardTokens) await closeShard()
      }
      await idsFile.write(Buffer.concat(idBytes))
      await lengthsFile.write(new Uint8Array(index.buffer))
      tokens += at
      count += ids.length
      onProgress({ done: tokens, unit: 'tokens', message: domain })
    }
    await closeShard()
    const manifest: ShardManifest = {
      format: 'smolforge-shards',
      version: 1,
      domain,
      dtype,
      vocabSize,
      endOfTextId,
      tokens,
      documents: count,
      shards,
      lengths: await lengthsFile.close(),
      ids: await idsFile.close(),
    }
    await writeFileAtomic(join(dir, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`)
  } catch (error) {
    for (const file of [shard, lengthsFile, idsFile]) await file?.abandon()
    throw error
  }
}

/** The documents end to end, each with its end token. */
function joinDocuments(batch: readonly TokenizedDocument[], endOfTextId: number) {
  const lengths = batch.map(({ tokens }) => tokens.length + (tokens.at(-1) === endOfTextId ? 0 : 1))
  const flat = new Uint32Array(lengths.reduce((sum, length) => sum + length, 0))
  let at = 0
  for (let i = 0; i < batch.length; i++) {
    flat.set(batch[i].tokens, at)
    at += lengths[i]
    flat[at - 1] = endOfTextId
  }
  return { flat, lengths }
}

function pack(
  batch: readonly TokenizedDocument[],
  { vocabSize, endOfTextId }: WriteShardsOptions,
  width: 2 | 4,
): PackedDocuments {
  const { flat, lengths } = joinDocuments(batch, endOfTextId)
  try {
    const tokens = shardKernels().packTokens(flat, vocabSize, width)
    return { ids: batch.map(({ id }) => id), tokens, counts: Uint32Array.from(lengths) }
  } catch (cause) {
    const document = batch.find(({ tokens }) => tokens.some((id) => id >= vocabSize))
    throw new SmolforgeError(
      'input',
      `Document ${document?.id} has a token outside the vocabulary of ${vocabSize}`,
      {
        hint: 'Was it encoded with another tokenizer?',
        cause,
      },
    )
  }
}
