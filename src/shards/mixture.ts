import { SmolforgeError } from '../errors.ts'

/**
 * Which domain gives the next row: the one that is furthest behind its share. After n rows every domain has had its
 * weight times n rows, give or take one, as long as all can give; one that cannot leaves its share to the others in
 * proportion to their weights.
 */
export class Mixture {
  readonly weights: Readonly<Record<string, number>>
  /** Rows owed to each domain. */
  readonly #credits: Map<string, number>
  #shares: [string, number][] = []

  constructor(weights: Readonly<Record<string, number>>, credits: Readonly<Record<string, number>> = {}) {
    this.weights = weights
    this.#credits = new Map(Object.keys(weights).map((domain) => [domain, credits[domain] ?? 0]))
  }

  get credits(): Record<string, number> {
    return Object.fromEntries(this.#credits)
  }

  /**
   * Chooses among the domains that can give; undefined when none with a weight can. The caller books what it gave by
   * `book` before the next choice.
   */
  next(canGive: (domain: string) => boolean): string | undefined {
    const active = this.#active(canGive)
    let chosen: string | undefined
    let most = Number.NEGATIVE_INFINITY
    for (const [domain, share] of active) {
      const credit = (this.#credits.get(domain) ?? 0) + share
      if (credit > most) {
        most = credit
        chosen = domain
      }
    }
    this.#shares = active
    return chosen
  }

  /** Books a row of the domain that was chosen: 1 for a full one, less for one with padding. */
  book(chosen: string, share: number): void {
    for (const [domain, weight] of this.#shares) {
      const credit = (this.#credits.get(domain) ?? 0) + weight * share
      this.#credits.set(domain, domain === chosen ? credit - share : credit)
    }
  }

  /** The domains that can give, with their shares of what these give. */
  #active(canGive: (domain: string) => boolean): [string, number][] {
    const active = Object.keys(this.weights).filter((domain) => this.weights[domain] > 0 && canGive(domain))
    const total = active.reduce((sum, domain) => sum + this.weights[domain], 0)
    return active.map((domain) => [domain, this.weights[domain] / total])
  }
}

/**
 * Weights for every domain there is; one that is not named gets none.
 *
 * @throws SmolforgeError `usage` for an unknown domain, a weight that is no share, or weights that sum to 0.
 */
export function checkedWeights(
  weights: Readonly<Record<string, number>>,
  domains: readonly string[],
): Record<string, number> {
  checkDomains('weights', weights, domains)
  for (const [domain, weight] of Object.entries(weights)) {
    if (!(weight >= 0 && Number.isFinite(weight))) {
      throw new SmolforgeError('usage', `The weight of ${domain} is ${weight}, it must be 0 or more`)
    }
  }
  const all = Object.fromEntries(
    domains.map((domain) => [domain, Object.hasOwn(weights, domain) ? weights[domain] : 0]),
  )
  if (Object.values(all).every((weight) => weight === 0)) {
    throw new SmolforgeError('usage', 'The weights of the mixture sum to 0', {
      hint: `Give at least one domain a weight: ${domains.join(', ')}.`,
    })
  }
  return all
}

export function checkDomains(
  what: string,
  record: Readonly<Record<string, unknown>>,
  domains: readonly string[],
): void {
  const unknown = Object.keys(record).find((domain) => !domains.includes(domain))
  if (unknown === undefined) return
  throw new SmolforgeError('usage', `Unknown domain ${unknown} in the ${what} of the mixture`, {
    hint: `There are shards of: ${domains.join(', ')}.`,
  })
}
