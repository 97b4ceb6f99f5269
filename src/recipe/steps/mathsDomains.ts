import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  LinearClassifier,
  type Rule,
  registeredDomains,
  type TextScorer,
  type Verdict,
} from '../../curate/index.ts'
import { readJsonLines } from '../../files/jsonl.ts'
import type { StepKind } from '../step.ts'
import { documentsOf, stopIfAsked, writeJson } from './curation.ts'
import { type ReadConfig, readInto } from './read.ts'
import { scorerOf } from './score.ts'

export interface DomainsConfig {
  /** The name of the score on the documents. */
  score: string
  /** A domain is promising where so large a share of at least so many pages has this score or more. */
  minScore: number
  minShare: number
  minPages: number
}

interface DomainCount {
  domain: string
  pages: number
  good: number
}

/** What the step leaves: all domains with a good page, most first, and the promising ones. */
interface FoundDomains {
  domains: DomainCount[]
  promising: string[]
}

const DOMAINS = 'domains.json'

/** Which domains have many pages of a kind: the first phase of FineMath's recall. Documents are only counted. */
export const domainsStep: StepKind<DomainsConfig> = {
  kind: 'promising-domains',
  version: 1,
  resumes: false,
  async run(work) {
    const { score, minScore, minShare, minPages } = work.config
    const counts = new Map<string, DomainCount>()
    let documents = 0
    for await (const batch of documentsOf(work)) {
      stopIfAsked(work)
      const names = registeredDomains(batch.map(({ url }) => url ?? ''))
      batch.forEach(({ scores }, i) => {
        const domain = names[i]
        if (domain === '') return
        const count = counts.get(domain) ?? { domain, pages: 0, good: 0 }
        counts.set(domain, count)
        count.pages++
        if ((scores[score] ?? 0) >= minScore) count.good++
      })
      documents += batch.length
      work.onProgress({ done: documents, unit: 'documents' })
    }
    const promising = [...counts.values()]
      .filter(({ pages, good }) => pages >= minPages && good >= minShare * pages)
      .map(({ domain }) => domain)
      .sort()
    const domains = [...counts.values()]
      .filter(({ good }) => good > 0)
      .sort((a, b) => b.good - a.good || (a.domain < b.domain ? -1 : 1))
    await writeJson(work, DOMAINS, { domains, promising } satisfies FoundDomains)
    return { counts: { documents, domains: counts.size, promising: promising.length } }
  },
}

export interface RecallConfig extends ReadConfig {
  /** Steps whose folders hold the domains and the classifier of the first phase. */
  domains: string
  scored: string
  /** A page stays by itself with this score or more. */
  minScore: number
  /** Files with addresses that stay, a line each. */
  urlFiles: readonly string[]
  classifier?: string
}

/**
 * Reads the sources once more, discussions included, and keeps the pages of promising domains, listed addresses, and
 * pages that are good by themselves: the second phase of FineMath's recall.
 */
export const recallStep: StepKind<RecallConfig> = {
  kind: 'recall',
  version: 1,
  resumes: false,
  async run(work) {
    const { domains, scored, minScore, urlFiles, classifier } = work.config
    const text = await readFile(join(work.inputs[domains], DOMAINS), 'utf8')
    const promising = new Set((JSON.parse(text) as FoundDomains).promising)
    const addresses = new Set<string>()
    for (const file of urlFiles) {
      for await (const url of linesOf(resolve(work.places.baseDir, file))) addresses.add(url)
    }
    const scorer = classifier
      ? await LinearClassifier.load(resolve(work.places.baseDir, classifier))
      : await scorerOf(work.inputs[scored])
    const rule = recallRule(promising, addresses, scorer, minScore)
    const result = await readInto(work, [rule])
    return {
      ...result,
      counts: { ...result.counts, promisingDomains: promising.size, addresses: addresses.size },
    }
  },
}

function recallRule(
  promising: ReadonlySet<string>,
  addresses: ReadonlySet<string>,
  scorer: TextScorer,
  minScore: number,
): Rule {
  return {
    name: 'recall',
    async judge(batch) {
      const names = registeredDomains(batch.map(({ url }) => url ?? ''))
      const scores = await scorer.score(batch.map(({ text }) => text))
      return batch.map(({ url }, i): Verdict => {
        const wanted = promising.has(names[i]) || addresses.has(url ?? '') || scores[i] >= minScore
        if (wanted) return { keep: true, changes: { scores: { firstPass: scores[i] } } }
        return { keep: false, rule: 'recall.minScore', value: scores[i], threshold: minScore }
      })
    },
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  if (path.endsWith('.jsonl')) {
    for await (const { value } of readJsonLines(path)) yield String((value as { url?: unknown }).url ?? '')
    return
  }
  for (const line of (await readFile(path, 'utf8')).split('\n')) if (line.trim() !== '') yield line.trim()
}
