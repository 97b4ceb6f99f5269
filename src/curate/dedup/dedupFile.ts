import { dirname } from 'node:path'
import type { Damage } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { writeOutputAtomic } from '../../files/atomic.ts'
import { systemError } from '../../native/systemError.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../../progress/progress.ts'
import { readTextBatches } from '../readTextBatches.ts'
import type { TextBatch } from '../textBatches.ts'
import { type DedupIndex, openDedupIndex } from './dedupIndex.ts'
import { type DuplicateCounts, definedOnly, type Likeness, makeDeduplicator } from './deduplicator.ts'

export interface DedupFileOptions extends Likeness {
  /** JSON lines `{"id","text"}`, plain, gzip or zstd. */
  input: string
  /** JSON lines `{"id","keep","cluster"}` in the order of the input. */
  output: string
  /** Kept documents as JSON lines `{"id","text"}`; the input is read once more for them. */
  texts?: string
  /** Documents that share a band are duplicates only with this Jaccard similarity; the input is read once more. */
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
 * document and some hundreds of megabytes; the rest lies on the disk of the output. Each output appears whole or not at
 * all, the verdicts after the texts, and the index changes only after both.
 */
export async function dedupFile(options: DedupFileOptions): Promise<DuplicateCounts> {
  const {
    input,
    output,
    texts,
    verify,
    index: folder,
    threads,
    memoryBytes,
    stop = neverStop,
    ...rest
  } = options
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
    let found: number | undefined
    const checkCount = (differs: boolean) => {
      if (!differs) return
      throw new SmolforgeError(
        'input',
        'The file changed while it was read: there are other documents in it now',
        {
          place: { file: input },
        },
      )
    }
    const pass = async (
      message: string,
      each: (batch: TextBatch) => Promise<unknown>,
      listen?: (damage: Damage) => void,
    ) => {
      documents = 0
      for await (const batch of readTextBatches(input, { threads, onDamage: listen })) {
        if (stop.stopped) throw new SmolforgeError('interrupted', 'Stopped while looking for duplicates')
        checkCount(found !== undefined && documents + batch.length > found)
        await each(batch)
        documents += batch.length
        onProgress({ done: documents, unit: 'documents', message })
      }
      found ??= documents
      checkCount(documents < found)
    }
    await pass('keys', (batch) => dedup.add(batch, threads), onDamage)
    await dedup.link(verify !== undefined, threads)
    if (verify !== undefined) {
      await pass('shingles of candidates', (batch) => dedup.addShingles(batch, threads))
      await dedup.verify(verify, threads)
    }
    if (texts !== undefined) {
      await writeOutputAtomic(texts, (write) =>
        pass('kept texts', async (batch) => write(await dedup.keptLines(batch, threads))),
      )
    }
    await index?.stage(dedup)
    await writeOutputAtomic(output, async (write) => {
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
