import type { Document } from '../corpus/index.ts'
import { judge } from './judge.ts'
import { keep, type Rule, type Verdict } from './verdict.ts'

/** Which documents a limited rule looks at: of these sources or of these domains (`meta.domain`). */
export interface RuleScope {
  sources?: readonly string[]
  domains?: readonly string[]
}

/** The same rule for some documents only; it keeps all others without looking. */
export function onlyFor(rule: Rule, scope: RuleScope): Rule {
  const sources = new Set(scope.sources)
  const domains = new Set(scope.domains)
  const applies = (document: Document) => sources.has(document.source) || domains.has(domainOf(document))
  return {
    name: rule.name,
    async judge(batch) {
      const chosen = batch.filter(applies)
      if (chosen.length === 0) return batch.map(() => keep)
      const verdicts = await judge(rule, chosen)
      let next = 0
      return batch.map((document): Verdict => (applies(document) ? verdicts[next++] : keep))
    },
  }
}

/** The domain that a source was given in the recipe; its source where it has none. */
export function domainOf(document: Document): string {
  const { domain } = document.meta
  return typeof domain === 'string' ? domain : document.source
}
