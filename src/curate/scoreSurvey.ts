import { excerptOf } from './funnel.ts'

/** How the scores of a corpus lie, by domain: what any threshold would keep can be read from it. */
export interface ScoreSurvey {
  documents: number
  bytes: number
  lowest: number
  highest: number
  /** Bins of equal width over the scale, lowest first; `byDomain` counts as the survey does. */
  bins: ScoreBin[]
}

export interface ScoreBin extends Counts {
  low: number
  high: number
  byDomain: Record<string, Counts>
  /** The first few documents of the bin. */
  examples: { id: string; score: number; excerpt: string }[]
}

interface Counts {
  documents: number
  bytes: number
}

const BINS = 50
const EXAMPLES = 3
/** More domains than this are counted together: a report of thousands helps nobody. */
const MOST_DOMAINS = 12
export const OTHER_DOMAINS = 'other domains'

/** Counts scores as they come; memory does not grow with the corpus. */
export class ScoreSurveyor {
  readonly #survey: ScoreSurvey
  readonly #domains = new Set<string>()

  constructor({ lowest, highest }: { lowest: number; highest: number }) {
    const width = (highest - lowest) / BINS
    this.#survey = {
      documents: 0,
      bytes: 0,
      lowest,
      highest,
      bins: Array.from({ length: BINS }, (_, i) => ({
        low: lowest + i * width,
        high: lowest + (i + 1) * width,
        documents: 0,
        bytes: 0,
        byDomain: {},
        examples: [],
      })),
    }
  }

  /** Counts a document; tells its size and the name that its domain is counted under. */
  add(
    document: { id: string; text: string; domain?: string },
    score: number,
  ): { domain: string; bytes: number } {
    const { lowest, highest, bins } = this.#survey
    const place = Math.floor(((score - lowest) / (highest - lowest)) * BINS)
    const bin = bins[Math.min(BINS - 1, Math.max(0, place))]
    const bytes = Buffer.byteLength(document.text)
    const domain = this.#domainOf(document.domain ?? 'all')
    bin.byDomain[domain] ??= { documents: 0, bytes: 0 }
    for (const counts of [this.#survey, bin, bin.byDomain[domain]]) {
      counts.documents++
      counts.bytes += bytes
    }
    if (bin.examples.length < EXAMPLES) {
      bin.examples.push({ id: document.id, score, excerpt: excerptOf(document.text, 300) })
    }
    return { domain, bytes }
  }

  survey(): ScoreSurvey {
    return this.#survey
  }

  #domainOf(domain: string): string {
    if (this.#domains.has(domain)) return domain
    if (this.#domains.size >= MOST_DOMAINS) return OTHER_DOMAINS
    this.#domains.add(domain)
    return domain
  }
}

const FINE = 2 ** 16

/**
 * The threshold that keeps a share of the scores that are added, best first, to 1/65,536 of the scale: in fixed memory, for a
 * corpus of any size.
 */
export class ThresholdFinder {
  readonly #counts = new Float64Array(FINE + 1)
  readonly #lowest: number
  readonly #highest: number
  #added = 0

  constructor({ lowest, highest }: { lowest: number; highest: number }) {
    this.#lowest = lowest
    this.#highest = highest
  }

  add(score: number): void {
    const place = Math.floor(((score - this.#lowest) / (this.#highest - this.#lowest)) * FINE)
    this.#counts[Math.min(FINE, Math.max(0, place))]++
    this.#added++
  }

  /** At least the share is kept; more only where scores lie together. Infinity for a share of 0. */
  threshold(keepFraction: number): number {
    const wanted = Math.ceil(keepFraction * this.#added)
    if (wanted === 0) return Number.POSITIVE_INFINITY
    let kept = 0
    for (let place = FINE; place > 0; place--) {
      kept += this.#counts[place]
      if (kept >= wanted) return this.#lowest + (place / FINE) * (this.#highest - this.#lowest)
    }
    return this.#lowest
  }
}
