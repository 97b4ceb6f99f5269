import { join } from 'node:path'
import type { Document } from '../../corpus/index.ts'
import { domainOf } from '../../curate/index.ts'
import { type BaselineDomain, baselines } from '../../eval/index.ts'
import type { ShardSet } from '../../shards/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind } from '../step.ts'
import { documentsOf, writeJson } from './curation.ts'
import { heldOutTexts } from './heldOut.ts'
import { openShardSets } from './shards.ts'

export type BaselinesConfig = Recipe['evaluation']['baselines'] & { heldOutBytes: number; text: string }

/** What compressors and a Kneser-Ney model reach on the held-out bytes that the models are scored on. */
export const baselinesStep: StepKind<BaselinesConfig> = {
  kind: 'baselines',
  version: 1,
  resumes: false,
  async run(work) {
    const { order, trainingTokens, prefixBytes, heldOutBytes, text } = work.config
    const tokenizer = await Tokenizer.load(join(work.inputs.tokenizer, 'tokenizer'))
    const heldOut = await heldOutTexts(work.inputs.split, heldOutBytes)
    const training = new Map<string, string[]>()
    const isMeasured = (document: Document) => domainOf(document) in heldOut
    for await (const batch of documentsOf(work, text)) {
      for (const document of batch.filter(isMeasured)) {
        const domain = domainOf(document)
        const texts = training.get(domain) ?? []
        training.set(domain, texts)
        texts.push(document.text)
      }
    }
    const domains: Record<string, BaselineDomain> = Object.fromEntries(
      Object.entries(heldOut).map(([domain, documents]) => [
        domain,
        { heldOut: documents.map(({ text }) => text), training: training.get(domain) ?? [] },
      ]),
    )
    const sets = await openShardSets(work.inputs.shards)
    const scores = await baselines(domains, tokenizedDocuments(Object.values(sets), trainingTokens), {
      vocabSize: tokenizer.vocabSize,
      endOfTextId: tokenizer.endOfTextId,
      order,
      maxTrainingTokens: trainingTokens,
      maxPrefixBytes: prefixBytes,
      encodeBatch: (texts) => tokenizer.encodeBatch(texts),
      onProgress: work.onProgress,
      stop: work.stop,
    })
    for (const set of Object.values(sets)) set.close()
    await writeJson(work, 'baselines.json', scores)
    return {
      metrics: Object.fromEntries(scores.map(({ domain, kneserNey }) => [domain, kneserNey.bitsPerByte])),
    }
  },
}

const BATCH = 256

/** Documents of all sets in turn, each set giving in proportion to its size, until `limit` tokens were given. */
async function* tokenizedDocuments(sets: readonly ShardSet[], limit: number): AsyncGenerator<Uint32Array[]> {
  const total = sets.reduce((sum, set) => sum + set.tokens, 0)
  for (const set of sets) {
    const share = Math.min(set.tokens, (set.tokens / Math.max(1, total)) * limit)
    let taken = 0
    let batch: Uint32Array[] = []
    for (let i = 0; i < set.documents && taken < share; i++) {
      const { start, end } = set.span(i)
      const ids = new Int32Array(end - start)
      set.read(start, end, ids)
      // Without the end token, which the model adds itself.
      batch.push(Uint32Array.from(ids.subarray(0, -1)))
      taken += ids.length
      if (batch.length < BATCH) continue
      yield batch
      batch = []
    }
    yield batch
  }
}
