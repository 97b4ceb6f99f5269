import { tmpdir } from 'node:os'
import type { Document, DocumentStream } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../../progress/progress.ts'
import { type Deduplicator, makeDeduplicator } from '../dedup/deduplicator.ts'
import { textBatch } from '../textBatches.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

export interface MinhashOptions {
  /** Bands of the signature: two documents that agree on all rows of one are compared. */
  bands?: number
  rows?: number
  /** Words in a shingle. */
  ngram?: number
  seed?: number
  /** The least Jaccard similarity of the sets of shingles; 0 joins all that agree on a band, as FineWeb did. */
  minSimilarity?: number
  /** The highest of a cluster stays, the first where they are equal. */
  prefer?: (document: Document) => number
  /** Where scratch files go when the keys take more than `memoryBytes`. */
  scratch?: string
  memoryBytes?: number
  onProgress?: Progress
  stop?: StopSignal
}

/**
 * Near-duplicate removal by MinHash and locality-sensitive hashing over word n-grams (Broder 1997; 14 bands of 8 rows
 * on 5-grams as in FineWeb). Reads the documents twice here, for their signatures and for the shingles of candidates;
 * the rule that comes back drops all but one of each cluster when the same documents pass it. The verdict's value is
 * the Jaccard similarity to the nearest of its cluster; its detail names the kept document (`keptId`) and the
 * similarity to that one.
 */
export async function minhashDedup(
  open: () => DocumentStream,
  options: MinhashOptions = {},
): Promise<Rule & { clusters: number }> {
  const { bands, rows, ngram, seed, memoryBytes, scratch: folder = tmpdir() } = options
  const { minSimilarity = 0.7, prefer = () => 0, onProgress = noProgress, stop = neverStop } = options
  const dedup = makeDeduplicator({ folder, bands, rows, ngram, seed, memoryBytes })
  const ids: string[] = []
  const priorities: number[] = []
  await eachBatch(open(), stop, async (documents, texts) => {
    await dedup.add(texts)
    for (const document of documents) {
      ids.push(document.id)
      priorities.push(prefer(document))
    }
    onProgress({ done: ids.length, unit: 'documents', message: 'signatures' })
  })
  await dedup.link(true)
  await eachBatch(open(), stop, (_, texts) => dedup.addShingles(texts))
  await dedup.verify(minSimilarity)
  const kept = chooseKept(dedup.roots(), priorities)
  const drops = dropVerdicts(ids, kept, dedup, minSimilarity)
  return {
    name: 'minhashDedup',
    clusters: new Set([...kept].filter((one, i) => one !== i)).size,
    judge: (batch) => batch.map(({ id }): Verdict => drops.get(id) ?? keep),
  }
}

async function eachBatch(
  stream: DocumentStream,
  stop: StopSignal,
  work: (documents: readonly Document[], texts: ReturnType<typeof textBatch>) => Promise<void>,
): Promise<void> {
  for await (const documents of stream) {
    if (stop.stopped) throw new SmolforgeError('interrupted', 'Stopped while reading for near-duplicates')
    const texts = textBatch(documents.map(({ text }) => text))
    await work(documents, texts)
    texts.release()
  }
}

/** For each document the one of its cluster with the highest priority, the first of equals. */
function chooseKept(roots: Uint32Array, priorities: readonly number[]): Uint32Array {
  const best = roots.slice()
  roots.forEach((root, i) => {
    if (priorities[i] > priorities[best[root]]) best[root] = i
  })
  return roots.map((root) => best[root])
}

function dropVerdicts(
  ids: readonly string[],
  kept: Uint32Array,
  dedup: Deduplicator,
  threshold: number,
): Map<string, Verdict> {
  const dropped = [...kept.keys()].filter((i) => kept[i] !== i)
  const similarity = dedup.similarity()
  const toKept = dedup.jaccard(Uint32Array.from(dropped.flatMap((i) => [i, kept[i]])))
  return new Map(
    dropped.map((i, at): [string, Verdict] => {
      const detail = { keptId: ids[kept[i]], similarityToKept: toKept[at] }
      return [ids[i], { keep: false, rule: 'minhashDedup', value: similarity[i], threshold, detail }]
    }),
  )
}
