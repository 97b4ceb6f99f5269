import { dirname } from 'node:path'
import type { Damage } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { writeChunksAtomic } from '../../files/atomic.ts'
import { loadAddon } from '../../native/addon.ts'
import { systemError } from '../../native/systemError.ts'
import { neverStop, type StopSignal } from '../../progress/progress.ts'
import { readTextBatches } from '../readTextBatches.ts'
import type { TextBatch } from '../textBatches.ts'

export interface DedupUnitsOptions {
  /** JSON lines `{"id","text"}`, plain, gzip or zstd. */
  input: string
  /** JSON lines `{"id","text","removed"}` in the order of the input. */
  output: string
  units: 'lines' | 'paragraphs'
  /** How often a line or paragraph may stand in the whole file; later ones are removed. */
  occurrences?: number
  /** Shorter ones are left alone: a brace, a bullet, a name. */
  minWords?: number
  threads?: number
  memoryBytes?: number
  onDamage?: (damage: Damage) => void
  stop?: StopSignal
}

export interface UnitCounts {
  documents: number
  units: number
  removed: number
  removedBytes: number
  /** Documents of which nothing was left: their text is empty. */
  emptied: number
  /** Different units that occurred too often: 16 bytes of memory each, and room to grow. */
  repeated: number
  /** Bytes of scratch files. */
  spilled: number
}

/**
 * Removes lines or paragraphs that came by more than `occurrences` times before, compared as words without case and
 * punctuation. Exact and out of core: one pass counts through scratch files (12 bytes a unit), the next removes; only the
 * repeated units stay in memory.
 */
export async function dedupUnits(options: DedupUnitsOptions): Promise<UnitCounts> {
  const { input, output, units, occurrences = 1, minWords = 4, threads, memoryBytes = 128 << 20 } = options
  const { stop = neverStop, onDamage } = options
  const dedup = new (loadAddon<UnitKernels>().UnitDeduplicator)({
    paragraphs: units === 'paragraphs',
    minWords,
    occurrences,
    folder: dirname(output),
    memoryBytes,
  })
  let documents = 0
  const checkStop = () => {
    if (stop.stopped) throw new SmolforgeError('interrupted', `Stopped while looking for repeated ${units}`)
  }
  try {
    for await (const batch of readTextBatches(input, { threads, onDamage })) {
      checkStop()
      await dedup.add(batch, threads)
      documents += batch.length
    }
    await dedup.count(threads)
    await writeChunksAtomic(output, async (write) => {
      for await (const batch of readTextBatches(input, { threads })) {
        checkStop()
        await write(await dedup.remove(batch, threads))
      }
    })
  } catch (error) {
    throw systemError(error, output)
  }
  return { documents, ...dedup.counts() }
}

interface UnitKernels {
  UnitDeduplicator: new (options: {
    paragraphs: boolean
    minWords: number
    occurrences: number
    folder: string
    memoryBytes: number
  }) => {
    add(batch: TextBatch, threads?: number): Promise<Buffer>
    count(threads?: number): Promise<Buffer>
    remove(batch: TextBatch, threads?: number): Promise<Buffer>
    counts(): Omit<UnitCounts, 'documents'>
  }
}
