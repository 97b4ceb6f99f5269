import type { Document, DocumentStream } from '../corpus/index.ts'
import { SmolforgeError } from '../errors.ts'
import { neverStop, type Progress, type StopSignal } from '../progress/progress.ts'
import { Random } from '../random/random.ts'
import { type Funnel, FunnelCounter } from './funnel.ts'
import { kernels, type NgramIndex } from './kernels.ts'
import { domainOf } from './onlyFor.ts'
import type { Drop } from './verdict.ts'

export interface SplitOptions {
  /** Share of each domain's documents that is held out; one number is for all domains. */
  fractionByDomain: number | Record<string, number>
  /** At least so many documents of a domain, as long as that is at most half of them. */
  minDocuments?: number
  /** A held-out document may share less than this part of its n-grams with the training text. */
  maxOverlap?: number
  ngram?: number
  seed: number
  /** The step's name in the funnel. */
  step?: string
  onProgress?: Progress
  stop?: StopSignal
}

export interface DomainSplit {
  documents: number
  heldOut: number
  /** Candidates that went back to training because they overlap with it (`overlaps-training`). */
  overlapping: number
  /** The largest overlap of a document that stayed held out. */
  largestOverlap: number
  wanted: number
}

export interface HeldOutSplit {
  heldOut: Document[]
  /** Everything else, read again from the source in its order. */
  training: DocumentStream
  /** Whole once `training` was read; the held-out documents are in `dropped['held-out']`. */
  funnel(): Funnel
  byDomain: Record<string, DomainSplit>
}

/**
 * Splits by document so that what is held out is really new: more candidates than needed are drawn from each domain,
 * those that share `maxOverlap` or more of their n-grams with the training text go back to it, and so on until none
 * does. Reads the documents four times: to count, to draw, to compare, and as `training`. Same seed, same split.
 */
export async function splitHeldOut(open: () => DocumentStream, options: SplitOptions): Promise<HeldOutSplit> {
  const { maxOverlap = 0.1, ngram = 13 } = options
  const drawn = drawCandidates(await countDomains(open(), options), options)
  const candidates = await gatherCandidates(open(), drawn)
  const index = new (kernels().NgramIndex)(
    candidates.map(({ document }) => document.text),
    ngram,
    LEAST_WORDS,
  )
  await markTraining(open(), drawn, index, options)
  settle(candidates, drawn, index, maxOverlap)
  const held = candidates.filter(({ state }) => state === 'candidate')
  const overlaps = new Map(held.map(({ document, overlap }) => [document.id, overlap]))
  const counter = new FunnelCounter(options.step ?? 'split')
  return {
    heldOut: held.map(({ document }) => document),
    training: withoutHeldOut(open(), overlaps, maxOverlap, counter),
    funnel: () => counter.funnel(),
    byDomain: describeDomains(candidates, drawn),
  }
}

/** A document shorter than the n-gram is compared as a whole, however short. */
const LEAST_WORDS = 1

/** How many times more candidates are drawn than are needed: many domains repeat themselves. */
const CANDIDATES_FOR_ONE = 3

interface Drawn {
  wantedByDomain: Map<string, number>
  documentsByDomain: Map<string, number>
  /** Candidate's id to its place in the lot. */
  lot: Map<string, number>
}

interface Candidate {
  document: Document
  lot: number
  overlap: number
  state: 'candidate' | 'overlapping' | 'spare'
}

async function countDomains(stream: DocumentStream, options: SplitOptions): Promise<Map<string, string[]>> {
  const idsByDomain = new Map<string, string[]>()
  let done = 0
  for await (const batch of stream) {
    endIfStopped(options.stop)
    for (const document of batch) {
      const domain = domainOf(document)
      const ids = idsByDomain.get(domain)
      if (ids === undefined) idsByDomain.set(domain, [document.id])
      else ids.push(document.id)
    }
    done += batch.length
    options.onProgress?.({ done, unit: 'documents', message: 'counting' })
  }
  return idsByDomain
}

function drawCandidates(idsByDomain: ReadonlyMap<string, string[]>, options: SplitOptions): Drawn {
  const { fractionByDomain, minDocuments = 0, seed } = options
  const drawn: Drawn = { wantedByDomain: new Map(), documentsByDomain: new Map(), lot: new Map() }
  for (const [domain, ids] of idsByDomain) {
    const fraction = typeof fractionByDomain === 'number' ? fractionByDomain : (fractionByDomain[domain] ?? 0)
    const half = Math.floor(ids.length / 2)
    const wanted =
      fraction <= 0 ? 0 : Math.min(half, Math.max(minDocuments, Math.round(fraction * ids.length)))
    drawn.wantedByDomain.set(domain, wanted)
    drawn.documentsByDomain.set(domain, ids.length)
    const shuffled = Random.derive(seed, `held-out/${domain}`).shuffle(ids)
    for (const id of shuffled.slice(0, Math.min(half, wanted * CANDIDATES_FOR_ONE))) {
      drawn.lot.set(id, drawn.lot.size)
    }
  }
  return drawn
}

async function gatherCandidates(stream: DocumentStream, { lot }: Drawn): Promise<Candidate[]> {
  const candidates: Candidate[] = []
  for await (const batch of stream) {
    for (const document of batch) {
      const place = lot.get(document.id)
      if (place !== undefined) candidates.push({ document, lot: place, overlap: 0, state: 'candidate' })
    }
  }
  return candidates.sort((a, b) => a.lot - b.lot)
}

async function markTraining(
  stream: DocumentStream,
  { lot }: Drawn,
  index: NgramIndex,
  options: SplitOptions,
): Promise<void> {
  let done = 0
  for await (const batch of stream) {
    endIfStopped(options.stop)
    index.mark(batch.filter(({ id }) => !lot.has(id)).map(({ text }) => text))
    done += batch.length
    options.onProgress?.({ done, unit: 'documents', message: 'comparing' })
  }
}

/** Sends overlapping candidates back, keeps as many of the rest as are wanted, and checks those against the others. */
function settle(
  candidates: readonly Candidate[],
  { wantedByDomain }: Drawn,
  index: NgramIndex,
  maxOverlap: number,
) {
  const sizes = index.sizes()
  candidates.forEach((candidate, i) => {
    // Without a single word nothing can be compared: such a document is no use as held-out text.
    if (sizes[i] === 0) candidate.state = 'overlapping'
  })
  returnOverlapping(candidates, index, maxOverlap)
  const taken = new Map<string, number>()
  const spare: string[] = []
  for (const candidate of candidates) {
    if (candidate.state !== 'candidate') continue
    const domain = domainOf(candidate.document)
    const count = taken.get(domain) ?? 0
    if (count < (wantedByDomain.get(domain) ?? 0)) taken.set(domain, count + 1)
    else {
      candidate.state = 'spare'
      spare.push(candidate.document.text)
    }
  }
  index.mark(spare)
  returnOverlapping(candidates, index, maxOverlap)
}

function returnOverlapping(candidates: readonly Candidate[], index: NgramIndex, maxOverlap: number): void {
  let returned: string[]
  do {
    const shares = index.markedShares()
    returned = []
    candidates.forEach((candidate, i) => {
      if (candidate.state !== 'candidate') return
      candidate.overlap = shares[i]
      if (shares[i] < maxOverlap) return
      candidate.state = 'overlapping'
      returned.push(candidate.document.text)
    })
    index.mark(returned)
  } while (returned.length > 0)
}

function describeDomains(candidates: readonly Candidate[], drawn: Drawn): Record<string, DomainSplit> {
  const byDomain: Record<string, DomainSplit> = {}
  for (const [domain, documents] of drawn.documentsByDomain) {
    const own = candidates.filter(({ document }) => domainOf(document) === domain)
    const held = own.filter(({ state }) => state === 'candidate')
    byDomain[domain] = {
      documents,
      wanted: drawn.wantedByDomain.get(domain) ?? 0,
      heldOut: held.length,
      overlapping: own.filter(({ state }) => state === 'overlapping').length,
      largestOverlap: held.reduce((largest, { overlap }) => Math.max(largest, overlap), 0),
    }
  }
  return byDomain
}

async function* withoutHeldOut(
  stream: DocumentStream,
  overlaps: ReadonlyMap<string, number>,
  threshold: number,
  counter: FunnelCounter,
): AsyncGenerator<Document[]> {
  for await (const batch of stream) {
    const kept: Document[] = []
    for (const document of batch) {
      const bytes = counter.arrive(document)
      const overlap = overlaps.get(document.id)
      if (overlap === undefined) {
        counter.leave(document)
        kept.push(document)
      } else {
        const drop: Drop = { keep: false, rule: 'held-out', value: overlap, threshold }
        counter.drop(document, drop, bytes)
      }
    }
    if (kept.length > 0) yield kept
  }
  counter.funnel()
}

function endIfStopped(stop: StopSignal = neverStop): void {
  if (stop.stopped) throw new SmolforgeError('interrupted', 'Stopped while splitting off held-out documents')
}
