import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../../errors.ts'
import { writeChunksAtomic, writeFileAtomic } from '../../files/atomic.ts'
import { takeLock } from '../../files/lock.ts'
import { type Deduplicator, defaultLikeness, type Likeness } from './deduplicator.ts'

/** What earlier runs left: a folder with `index.json` and one sorted file of band keys for each run. */
export interface DedupIndex {
  segments: string[]
  /** Documents of all earlier runs. */
  documents: number
  /** Writes the keys of this run; they count only once `commit` was called. */
  stage(dedup: Deduplicator): Promise<void>
  commit(documents: number): Promise<void>
  close(): Promise<void>
}

const manifestSchema = z.strictObject({
  format: z.literal('smolforge-dedup-index/1'),
  likeness: z.strictObject({
    exact: z.boolean(),
    bands: z.int(),
    rows: z.int(),
    ngram: z.int(),
    seed: z.int(),
  }),
  documents: z.int().nonnegative(),
  segments: z.array(z.strictObject({ file: z.string().regex(/^[\w-]+\.keys$/), documents: z.int() })),
})

/**
 * Opens an index, or begins one in an empty or missing folder. A run that was killed before `commit` left the index as
 * it was: its staged file is replaced by the next.
 *
 * @throws SmolforgeError `usage` when it was made with other bands, rows, n-grams or seed, or is in use.
 */
export async function openDedupIndex(folder: string, wanted: Likeness): Promise<DedupIndex> {
  const likeness = { ...defaultLikeness, ...wanted }
  const manifestPath = join(folder, 'index.json')
  try {
    await mkdir(folder, { recursive: true })
  } catch (error) {
    throw fileError(error, folder)
  }
  const close = await takeLock(join(folder, '.lock'), {
    folder,
    work: 'Another deduplication',
    hint: 'Wait until it is done, or use another index.',
  })
  try {
    const manifest = (await readManifest(manifestPath)) ?? {
      format: 'smolforge-dedup-index/1' as const,
      likeness,
      documents: 0,
      segments: [],
    }
    const key = (value: Likeness) =>
      Object.entries({ ...defaultLikeness, ...value })
        .sort()
        .join(' ')
    if (key(manifest.likeness) !== key(likeness)) {
      const { exact, bands, rows, ngram, seed } = manifest.likeness
      const made = exact ? '--exact' : `--bands ${bands} --rows ${rows} --ngram ${ngram} --seed ${seed}`
      throw new SmolforgeError('usage', 'The index was made with other options', {
        place: { file: manifestPath },
        hint: `It was made with ${made}.`,
      })
    }
    const file = `segment-${String(manifest.segments.length + 1).padStart(6, '0')}.keys`
    return {
      segments: manifest.segments.map((segment) => join(folder, segment.file)),
      documents: manifest.documents,
      close,
      async stage(dedup) {
        await writeChunksAtomic(join(folder, file), async (write) => {
          for (let piece = dedup.segmentPiece(); piece !== null; piece = dedup.segmentPiece())
            await write(piece)
        })
      },
      async commit(documents) {
        const segments = [...manifest.segments, { file, documents }]
        const next = { ...manifest, documents: manifest.documents + documents, segments }
        await writeFileAtomic(manifestPath, `${JSON.stringify(next, null, 2)}\n`)
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function readManifest(path: string): Promise<z.infer<typeof manifestSchema> | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw fileError(error, path)
  }
  try {
    return manifestSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new SmolforgeError('damaged', 'This is no index of deduplication', { place: { file: path }, cause })
  }
}
