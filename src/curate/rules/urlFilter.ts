import { UrlLists, type UrlWords } from '../urlLists.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

export interface UrlFilterOptions extends UrlWords {
  /** Domains whose pages go, with all their hosts; hosts; plain IP addresses. */
  extraDomains?: Iterable<string>
  /** Whole addresses that go; `http` and `https` are the same. */
  extraUrls?: Iterable<string>
  /** Domains that stay whatever else their addresses hold. */
  allowDomains?: Iterable<string>
  /** Only these domains stay. */
  onlyDomains?: Iterable<string>
  /** Files of such lists, an entry a line, plain or gzip; hosts files and `*.domain` are understood. */
  domainFiles?: readonly string[]
  urlFiles?: readonly string[]
  allowDomainFiles?: readonly string[]
  onlyDomainFiles?: readonly string[]
}

/**
 * Drops documents by their address, with the parameters of datatrove's `URLFilter`; there is no integrated list.
 * A domain counts by the public suffix list, so that `co.uk` or `github.io` in a list covers nobody else.
 * Documents without an address stay, unless `onlyDomains` says which may.
 *
 * @throws SmolforgeError `input` when a list cannot be read.
 */
export async function urlFilter(options: UrlFilterOptions): Promise<Rule> {
  const lists = new UrlLists(options)
  lists.add('blockedDomains', options.extraDomains ?? [])
  lists.add('blockedUrls', options.extraUrls ?? [])
  lists.add('allowedDomains', options.allowDomains ?? [])
  lists.add('onlyDomains', options.onlyDomains ?? [])
  for (const file of options.domainFiles ?? []) await lists.addFile('blockedDomains', file)
  for (const file of options.urlFiles ?? []) await lists.addFile('blockedUrls', file)
  for (const file of options.allowDomainFiles ?? []) await lists.addFile('allowedDomains', file)
  for (const file of options.onlyDomainFiles ?? []) await lists.addFile('onlyDomains', file)
  lists.settle()
  const limited = options.onlyDomains !== undefined || options.onlyDomainFiles !== undefined
  return {
    name: 'urlFilter',
    judge: (batch) =>
      lists.check(batch.map(({ url }) => url ?? '')).map((found): Verdict => {
        if (found === undefined || found === 'allowed' || (found === 'noUrl' && !limited)) return keep
        return { keep: false, rule: `urlFilter.${found}`, value: 1 }
      }),
  }
}
