import { z } from 'zod'
import { SmolforgeError } from '../errors.ts'
import type { BatchRow, RowFill, TokenBatch } from './batch.ts'
import { DomainStream } from './domain-stream.ts'
import { checkDomains, checkedWeights, Mixture } from './mixture.ts'
import { PackedStream } from './packed-stream.ts'
import type { RowStream } from './row-stream.ts'
import type { ShardSet } from './set.ts'

export interface SamplerOptions {
  sets: Readonly<Record<string, ShardSet>>
  /** Shares of the tokens by domain, in any unit: 3 and 1 are the same as 0.75 and 0.25. */
  weights: Readonly<Record<string, number>>
  batchSize: number
  sequenceLength: number
  seed: number
  /** The most passes over a domain, fractions allowed; without one a domain is repeated as long as it is asked for. */
  epochCaps?: Readonly<Record<string, number>>
  /**
   * `concatenate` lays documents end to end and cuts where a row is full; `best-fit` cuts only documents longer than a
   * row and pads what does not fill. Default `concatenate`.
   */
  packing?: PackingName
}

export const packings = ['concatenate', 'best-fit'] as const
/** How documents are laid into rows. */
export type PackingName = (typeof packings)[number]

const count = z.int().nonnegative()
const stateSchema = z.object({
  version: z.literal(1),
  seed: z.number(),
  packing: z.enum(packings).default('concatenate'),
  /** Of a best-fit packing, which depends on it. */
  sequenceLength: z.int().positive().optional(),
  weights: z.record(z.string(), z.number().nonnegative()),
  epochCaps: z.record(z.string(), z.number()),
  credits: z.record(z.string(), z.number()),
  fill: z.object({ places: count, padding: count, continued: count }).optional(),
  domains: z.record(
    z.string(),
    z.object({ epoch: count, place: count, offset: count, passed: count, tokens: count, documents: count }),
  ),
})

/** Where a sampler stands, as JSON of a few hundred bytes. */
export type SamplerState = z.infer<typeof stateSchema>

/**
 * Batches of packed documents from a mixture of domains. The same seed, sets and calls give the same batches; `state`
 * and `restore` go on exactly. A row holds documents of one domain, each a segment; no target crosses from one document
 * to the next.
 */
export class Sampler {
  readonly #sets: Readonly<Record<string, ShardSet>>
  readonly #domains: readonly string[]
  readonly #streams: ReadonlyMap<string, RowStream>
  readonly #batchSize: number
  readonly #sequenceLength: number
  readonly #seed: number
  readonly #packing: PackingName
  #epochCaps: Readonly<Record<string, number>> = {}
  #mixture: Mixture
  #fill: RowFill = emptyFill()

  constructor(options: SamplerOptions) {
    for (const name of ['batchSize', 'sequenceLength'] as const) {
      if (!(Number.isInteger(options[name]) && options[name] > 0)) {
        throw new SmolforgeError('usage', `${name} is ${options[name]}, it must be a whole number above 0`)
      }
    }
    this.#sets = options.sets
    this.#domains = Object.keys(options.sets)
    this.#batchSize = options.batchSize
    this.#sequenceLength = options.sequenceLength
    this.#seed = options.seed
    this.#packing = options.packing ?? 'concatenate'
    const { seed, sequenceLength } = options
    const Stream = this.#packing === 'best-fit' ? PackedStream : DomainStream
    this.#streams = new Map(
      Object.entries(options.sets).map(([domain, set]) => [
        domain,
        new Stream(domain, set, seed, sequenceLength),
      ]),
    )
    this.#mixture = this.#newMixture(options.weights)
    this.#epochCaps = checkedCaps(options.epochCaps ?? {}, this.#domains)
  }

  /**
   * The next batch.
   *
   * @throws SmolforgeError `recipe` when all domains have reached their caps; the sampler then stands where it stood.
   */
  next(): TokenBatch {
    const before = this.state()
    const length = this.#batchSize * this.#sequenceLength
    const batch = {
      batchSize: this.#batchSize,
      sequenceLength: this.#sequenceLength,
      tokens: new Int32Array(length),
      targets: new Int32Array(length),
      segments: new Int32Array(length),
    }
    const rows: BatchRow[] = []
    for (let row = 0; row < this.#batchSize; row++) {
      const domain = this.#mixture.next((name) => this.#streams.get(name)?.hasRow(this.#limit(name)) ?? false)
      if (domain === undefined) {
        const taken = this.consumed()
        this.restore(before)
        throw exhausted(taken, this.#mixture.weights)
      }
      rows.push(this.#drawRow(domain, batch, row * this.#sequenceLength))
    }
    return { ...batch, rows }
  }

  /**
   * The mixture of the next stage; documents go on where they were. Caps stay unless new ones are given; `filled` counts
   * from 0 again.
   */
  setWeights(weights: Readonly<Record<string, number>>, epochCaps?: Readonly<Record<string, number>>): void {
    this.#mixture = this.#newMixture(weights)
    if (epochCaps) this.#epochCaps = checkedCaps(epochCaps, this.#domains)
    this.#fill = emptyFill()
  }

  /** How documents were laid into the rows of this stage, and what that left. */
  filled(): RowFill & { packing: PackingName } {
    return { packing: this.#packing, ...this.#fill }
  }

  /** What each domain has given since the start, over all stages. */
  consumed(): Record<string, { tokens: number; epochs: number }> {
    return Object.fromEntries(
      [...this.#streams].map(([domain, stream]) => {
        const tokens = stream.position
        return [domain, { tokens, epochs: tokens === 0 ? 0 : tokens / this.#sets[domain].tokens }]
      }),
    )
  }

  /** Tokens that the domains with a weight can still give under their caps; infinite without caps. */
  remainingTokens(): number {
    const weighted = this.#domains.filter((domain) => this.#mixture.weights[domain] > 0)
    return weighted.reduce((sum, domain) => sum + this.#left(domain), 0)
  }

  state(): SamplerState {
    return {
      version: 1,
      seed: this.#seed,
      packing: this.#packing,
      ...(this.#packing === 'best-fit' ? { sequenceLength: this.#sequenceLength } : {}),
      weights: { ...this.#mixture.weights },
      epochCaps: { ...this.#epochCaps },
      credits: this.#mixture.credits,
      fill: { ...this.#fill },
      domains: Object.fromEntries(
        [...this.#streams].map(([domain, stream]) => {
          const { tokens, documents } = this.#sets[domain]
          return [domain, { ...stream.at, tokens, documents }]
        }),
      ),
    }
  }

  /**
   * Goes on where `state` was taken, with its weights and caps.
   *
   * @throws SmolforgeError `damaged` for a state that is none, `usage` for one of other shards or another seed.
   */
  restore(state: SamplerState): void {
    const parsed = stateSchema.safeParse(state)
    if (!parsed.success) {
      throw new SmolforgeError('damaged', `Not a state of a sampler: ${z.prettifyError(parsed.error)}`)
    }
    const { seed, packing, sequenceLength, domains, weights, epochCaps, credits, fill } = parsed.data
    if (seed !== this.#seed) throw foreign(`its seed is ${seed}, not ${this.#seed}`)
    if (packing !== this.#packing) throw foreign(`its packing is ${packing}, not ${this.#packing}`)
    if (sequenceLength !== undefined && sequenceLength !== this.#sequenceLength) {
      throw foreign(`its rows have ${sequenceLength} tokens, not ${this.#sequenceLength}`)
    }
    const named = Object.keys(domains)
    if (named.length !== this.#domains.length || named.some((domain) => !this.#streams.has(domain))) {
      throw foreign(`its domains are ${named.join(', ')}, not ${this.#domains.join(', ')}`)
    }
    for (const [domain, saved] of Object.entries(domains)) {
      const set = this.#sets[domain]
      if (saved.tokens !== set.tokens || saved.documents !== set.documents) {
        throw foreign(`${domain} had ${saved.tokens} tokens, now it has ${set.tokens}`)
      }
      if (this.#streams.get(domain)?.hasPlace(saved) !== true) {
        throw new SmolforgeError(
          'damaged',
          `Not a state of a sampler: ${domain} stands outside its documents`,
        )
      }
    }
    for (const [domain, stream] of this.#streams) {
      const { epoch, place, offset, passed } = domains[domain]
      stream.at = { epoch, place, offset, passed }
    }
    this.#mixture = new Mixture(checkedWeights(weights, this.#domains), credits)
    this.#epochCaps = checkedCaps(epochCaps, this.#domains)
    this.#fill = fill ?? emptyFill()
  }

  /** Fills one row at `at` of the batch's arrays. */
  #drawRow(domain: string, batch: Omit<TokenBatch, 'rows'>, at: number): BatchRow {
    const stream = this.#streams.get(domain)
    if (stream === undefined) throw new SmolforgeError('internal', `No stream for the domain ${domain}`)
    const { share, ...row } = stream.draw(batch, at, this.#limit(domain))
    this.#mixture.book(domain, share)
    this.#fill.places += this.#sequenceLength
    this.#fill.padding += row.padding
    this.#fill.continued += row.continued
    return { domain, ...row }
  }

  #limit(domain: string): number {
    const cap = Object.hasOwn(this.#epochCaps, domain) ? this.#epochCaps[domain] : Number.POSITIVE_INFINITY
    return Math.floor(cap * this.#sets[domain].tokens)
  }

  #left(domain: string): number {
    return Math.max(0, this.#limit(domain) - (this.#streams.get(domain)?.position ?? 0))
  }

  #newMixture(weights: Readonly<Record<string, number>>): Mixture {
    const checked = checkedWeights(weights, this.#domains)
    const empty = this.#domains.find((domain) => checked[domain] > 0 && this.#sets[domain].tokens === 0)
    if (empty !== undefined) {
      throw new SmolforgeError('usage', `The domain ${empty} has a weight in the mixture but no tokens`)
    }
    return new Mixture(checked)
  }
}

const emptyFill = (): RowFill => ({ places: 0, padding: 0, continued: 0 })

function checkedCaps(
  caps: Readonly<Record<string, number>>,
  domains: readonly string[],
): Record<string, number> {
  checkDomains('epoch caps', caps, domains)
  for (const [domain, cap] of Object.entries(caps)) {
    if (!(cap >= 0 && Number.isFinite(cap))) {
      throw new SmolforgeError('usage', `The cap on epochs of ${domain} is ${cap}, it must be 0 or more`)
    }
  }
  return { ...caps }
}

function exhausted(
  consumed: Record<string, { tokens: number; epochs: number }>,
  weights: Readonly<Record<string, number>>,
): SmolforgeError {
  const taken = Object.entries(consumed)
    .filter(([domain]) => weights[domain] > 0)
    .map(([domain, { epochs }]) => `${domain} ${epochs.toFixed(2)} epochs`)
  return new SmolforgeError(
    'recipe',
    `All domains of the mixture have reached their caps: ${taken.join(', ')}`,
    {
      hint: 'Train on fewer tokens, raise epochCaps, or add documents.',
    },
  )
}

function foreign(what: string): SmolforgeError {
  return new SmolforgeError('usage', `The saved state is of another run: ${what}`)
}
