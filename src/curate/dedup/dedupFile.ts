import { dirname } from 'node:path'
import type { Damage } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { writeChunksAtomic } from '../../files/atomic.ts'
import { systemError } from '../../native/systemError.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../../progress/progress.ts'
import { readTextBatches } from '../readTextBatches.ts'
import { type DedupIndex, openDedupIndex } from './dedupIndex.ts'
import { type DuplicateCounts, definedOnly, type Likeness, makeDeduplicator } from './deduplicator.ts'

export interface DedupFileOptions extends Likeness {
  /** JSON lines `{"id","text"}`, plain, gzip or zstd. */
  input: string
  /** JSON lines `{"id","keep","cluster"}` in the order of the input. */
  output: string
  /** Documents that share a band are duplicates only with this Jaccard similarity; the input is read twice. */
  verify?: number
  /** A folder with what earlier runs saw: their documents win, and those of this run are added. */
  index?: string
  threads?: number
  /** Bytes of each kind of data that stay in memory. */
  memoryBytes?: number
  onDamage?: (damage: Damage) => void
  onProgress?: Progress
  stop?: StopSignal
}

/**
 * Says of each document of a file whether it stays: of each cluster of duplicates the first. Memory is 4 bytes a
 * document and some hundreds of megabytes; the rest lies on the disk of the output. The output appears whole or not at
 * all, and the index changes only after it.
 */
export async function dedupFile(options: DedupFileOptions): Promise<DuplicateCounts> {
  const { input, output, verify, index: folder, threads, memoryBytes, stop = neverStop, ...rest } = options
  const { exact, bands, rows, ngram, seed, onDamage, onProgress = noProgress } = rest
  const likeness = definedOnly({ exact, bands, rows, ngram, seed })
  if (verify !== undefined && (exact || folder !== undefined)) {
    throw new SmolforgeError('usage', `--verify does not go with ${exact ? '--exact' : '--index'}`, {
      hint: exact
        ? 'Exact duplicates need no verification.'
        : 'An index keeps the keys of earlier documents, not their words.',
    })
  }
  const index = folder === undefined ? undefined : await openDedupIndex(folder, likeness)
  try {
    const dedup = makeDeduplicator({
      ...likeness,
      folder: dirname(output),
      memoryBytes,
      segments: index?.segments,
      first: index?.documents,
    })
    let documents = 0
    const pass = async (message: string, listen?: (damage: Damage) => void) => {
      documents = 0
      for await (const batch of readTextBatches(input, { threads, onDamage: listen })) {
        if (stop.stopped) throw new SmolforgeError('interrupted', 'Stopped while looking for duplicates')
        await (message === 'keys' ? dedup.add(batch, threads) : dedup.addShingles(batch, threads))
        documents += batch.length
        onProgress({ done: documents, unit: 'documents', message })
      }
    }
    await pass('keys', onDamage)
    await dedup.link(verify !== undefined, threads)
    if (verify !== undefined) {
      await pass('shingles of candidates')
      await dedup.verify(verify, threads)
    }
    await index?.stage(dedup)
    await writeChunksAtomic(output, async (write) => {
      for (let lines = dedup.output(PIECE); lines.length > 0; lines = dedup.output(PIECE)) await write(lines)
    })
    await index?.commit(documents)
    return dedup.counts()
  } catch (error) {
    throw damagedIndex(error, index, folder) ?? systemError(error, output)
  } finally {
    await index?.close()
  }
}

const PIECE = 1 << 20

function damagedIndex(error: unknown, index: DedupIndex | undefined, folder: string | undefined) {
  if (!index || !(error instanceof Error) || !error.message.includes('the index file is damaged')) return
  return new SmolforgeError('damaged', error.message, {
    place: { file: folder },
    hint: 'Begin a new index with the documents that are to count.',
    cause: error,
  })
}
