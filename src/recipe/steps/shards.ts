import { join } from 'node:path'
import { z } from 'zod'
import type { DocumentStream } from '../../corpus/index.ts'
import { domainOf } from '../../curate/index.ts'
import { ShardSet, type TokenizedDocument, writeShards } from '../../shards/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { readJson } from '../readJson.ts'
import type { StepKind } from '../step.ts'
import { documentsOf, stopIfAsked, writeJson } from './curation.ts'

/** Encodes the training documents into packed shards, one set for each domain. */
export const shardsStep: StepKind<Record<string, never>> = {
  kind: 'shards',
  version: 1,
  resumes: false,
  async run(work) {
    const tokenizer = await Tokenizer.load(join(work.inputs.tokenizer, 'tokenizer'))
    const { vocabSize, endOfTextId } = tokenizer
    const list: ShardSummary[] = []
    for (const domain of await domainsOf(documentsOf(work))) {
      const set = await writeShards(join(work.folder, domain), encoded(domain), {
        domain,
        vocabSize,
        endOfTextId,
        onProgress: work.onProgress,
        stop: work.stop,
      })
      list.push({ domain, tokens: set.tokens, documents: set.documents })
      set.close()
    }
    async function* encoded(domain: string): AsyncGenerator<TokenizedDocument[]> {
      for await (const batch of documentsOf(work)) {
        stopIfAsked(work)
        const own = batch.filter((document) => domainOf(document) === domain)
        if (own.length === 0) continue
        const ids = tokenizer.encodeBatch(own.map(({ text }) => text))
        yield own.map(({ id }, i) => ({ id, tokens: ids[i] }))
      }
    }
    await writeJson(work, 'shards.json', list)
    const tokens = list.reduce((sum, set) => sum + set.tokens, 0)
    return { counts: { tokens, ...Object.fromEntries(list.map((set) => [set.domain, set.tokens])) } }
  },
}

const summarySchema = z.object({ domain: z.string(), tokens: z.number(), documents: z.number() })
export type ShardSummary = z.infer<typeof summarySchema>

export async function readShardSummaries(folder: string): Promise<ShardSummary[]> {
  return readJson(join(folder, 'shards.json'), z.array(summarySchema))
}

/** The shard sets of the step's folder by domain; their checksums are compared. */
export async function openShardSets(folder: string): Promise<Record<string, ShardSet>> {
  const sets: Record<string, ShardSet> = {}
  for (const { domain } of await readShardSummaries(folder))
    sets[domain] = await ShardSet.open(join(folder, domain))
  return sets
}

async function domainsOf(documents: DocumentStream): Promise<string[]> {
  const domains = new Set<string>()
  for await (const batch of documents) for (const document of batch) domains.add(domainOf(document))
  return [...domains].sort()
}
