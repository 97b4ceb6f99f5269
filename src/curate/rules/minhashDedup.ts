import type { Document, DocumentStream } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../../progress/progress.ts'
import { kernels, type MinhashClusters } from '../kernels.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

export interface MinhashOptions {
  /** Buckets of the signature: two documents that agree on all rows of one band are compared. */
  bands?: number
  rows?: number
  /** Words in a shingle. */
  ngram?: number
  seed?: number
  /** Share of the signature that must agree: the estimated Jaccard similarity of the sets of shingles. */
  minSimilarity?: number
  /** The highest of a cluster stays, the first where they are equal. */
  prefer?: (document: Document) => number
  onProgress?: Progress
  stop?: StopSignal
}

/**
 * Near-duplicate removal by MinHash and locality-sensitive hashing over word n-grams (Broder 1997; 14 bands of 8 rows
 * on 5-grams as in FineWeb). Reads the documents once here for their signatures; the rule that comes back drops all
 * but one of each cluster when the same documents pass it. The verdict's value is the estimated Jaccard similarity to
 * the nearest of its cluster; its detail names the kept document (`keptId`) and the similarity to that one.
 */
export async function minhashDedup(
  open: () => DocumentStream,
  options: MinhashOptions = {},
): Promise<Rule & { clusters: number }> {
  const { bands = 14, rows = 8, minSimilarity = 0.7 } = options
  const signed = await signDocuments(open(), options)
  const found = kernels().minhashClusters(signed.signatures, bands, rows, minSimilarity, signed.priorities)
  const drops = dropVerdicts(signed.ids, found, minSimilarity)
  const clusters = new Set([...drops.values()].map(({ keptId }) => keptId)).size
  return {
    name: 'minhashDedup',
    clusters,
    judge: (batch) => batch.map(({ id }): Verdict => drops.get(id)?.verdict ?? keep),
  }
}

interface SignedDocuments {
  ids: string[]
  signatures: Uint32Array
  priorities: Float64Array
}

async function signDocuments(stream: DocumentStream, options: MinhashOptions): Promise<SignedDocuments> {
  const { bands = 14, rows = 8, ngram = 5, seed = 1, prefer = () => 0 } = options
  const { onProgress = noProgress, stop = neverStop } = options
  const ids: string[] = []
  const priorities: number[] = []
  const parts: Uint32Array[] = []
  for await (const batch of stream) {
    if (stop.stopped) throw new SmolforgeError('interrupted', 'Stopped while reading for near-duplicates')
    const texts = batch.map(({ text }) => text)
    parts.push(kernels().minhashSignatures(texts, ngram, bands * rows, seed))
    for (const document of batch) {
      ids.push(document.id)
      priorities.push(prefer(document))
    }
    onProgress({ done: ids.length, unit: 'documents', message: 'signatures' })
  }
  const signatures = new Uint32Array(ids.length * bands * rows)
  let offset = 0
  for (const part of parts) {
    signatures.set(part, offset)
    offset += part.length
  }
  return { ids, signatures, priorities: Float64Array.from(priorities) }
}

function dropVerdicts(
  ids: readonly string[],
  { kept, similarity, toKept }: MinhashClusters,
  threshold: number,
): Map<string, { keptId: string; verdict: Verdict }> {
  const drops = new Map<string, { keptId: string; verdict: Verdict }>()
  ids.forEach((id, i) => {
    if (kept[i] === i) return
    const keptId = ids[kept[i]]
    const detail = { keptId, similarityToKept: toKept[i] }
    const verdict: Verdict = { keep: false, rule: 'minhashDedup', value: similarity[i], threshold, detail }
    drops.set(id, { keptId, verdict })
  })
  return drops
}
