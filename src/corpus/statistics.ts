import type { Document, DocumentStream } from './document.ts'

export interface Share {
  documents: number
  /** UTF-8 bytes of text. */
  bytes: number
}

/** What a corpus holds, counted while it streams by. */
export interface CorpusStatistics extends Share {
  bySource: Record<string, Share>
  byLicence: Record<string, Share>
  /** By the language that a step found, or else the one that the page declares; `unknown` where neither says. */
  byLanguage: Record<string, Share>
  /** The documents that carry each score, with its least, mean and greatest value. */
  scores: Record<string, { documents: number; least: number; mean: number; greatest: number }>
}

/** Counts documents as they pass. */
export class StatisticsCounter {
  readonly #total: Share = { documents: 0, bytes: 0 }
  readonly #bySource = new Map<string, Share>()
  readonly #byLicence = new Map<string, Share>()
  readonly #byLanguage = new Map<string, Share>()
  readonly #scores = new Map<string, { documents: number; least: number; sum: number; greatest: number }>()

  add({ text, source, licence, language, meta, scores }: Document): void {
    const bytes = Buffer.byteLength(text)
    const declared =
      typeof meta.declaredLanguage === 'string' ? baseLanguage(meta.declaredLanguage) : undefined
    addTo(this.#total, bytes)
    addTo(shareOf(this.#bySource, source), bytes)
    addTo(shareOf(this.#byLicence, licence), bytes)
    addTo(shareOf(this.#byLanguage, baseLanguage(language ?? '') ?? declared ?? 'unknown'), bytes)
    for (const [name, value] of Object.entries(scores)) {
      const seen = this.#scores.get(name)
      if (seen === undefined) {
        this.#scores.set(name, { documents: 1, least: value, sum: value, greatest: value })
        continue
      }
      seen.documents++
      seen.sum += value
      seen.least = Math.min(seen.least, value)
      seen.greatest = Math.max(seen.greatest, value)
    }
  }

  async *watch(documents: DocumentStream): DocumentStream {
    for await (const batch of documents) {
      for (const document of batch) this.add(document)
      yield batch
    }
  }

  result(): CorpusStatistics {
    const scores = [...this.#scores].map(([name, { documents, least, sum, greatest }]) => [
      name,
      { documents, least, mean: sum / documents, greatest },
    ])
    return {
      ...this.#total,
      bySource: largestFirst(this.#bySource),
      byLicence: largestFirst(this.#byLicence),
      byLanguage: largestFirst(this.#byLanguage),
      scores: Object.fromEntries(scores),
    }
  }
}

/** `eng`, `en-GB` and `EN` are all `en`; undefined for what is no language. */
function baseLanguage(tag: string): string | undefined {
  try {
    return tag === '' ? undefined : new Intl.Locale(tag.replaceAll('_', '-')).language
  } catch {
    return undefined
  }
}

/** A page may declare anything: past so many names the rest is counted together. */
const MOST_NAMES = 1000

function shareOf(shares: Map<string, Share>, wanted: string): Share {
  const name = shares.has(wanted) || shares.size < MOST_NAMES ? wanted : 'others'
  const share = shares.get(name) ?? { documents: 0, bytes: 0 }
  shares.set(name, share)
  return share
}

function addTo(share: Share, bytes: number): void {
  share.documents++
  share.bytes += bytes
}

const largestFirst = (shares: ReadonlyMap<string, Share>) =>
  Object.fromEntries([...shares].sort(([a, x], [b, y]) => y.bytes - x.bytes || (a < b ? -1 : 1)))
