import { join, resolve } from 'node:path'
import { domainOf } from '../../curate/index.ts'
import { Tokenizer, trainTokenizer } from '../../tokenizer/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind, StepWork } from '../step.ts'
import { documentsOf, writeJson } from './curation.ts'
import type { LoadedModel } from './training.ts'

export type TokenizerConfig = Recipe['tokenizer'] & { seed: number; loaded?: LoadedModel }

/**
 * Trains byte-level BPE on the training documents, the same number of bytes of each domain where there are enough; or
 * takes the tokenizer of the model that the run begins from.
 */
export const tokenizerStep: StepKind<TokenizerConfig> = {
  kind: 'tokenizer',
  version: 1,
  resumes: false,
  async run(work) {
    const { vocabSize, sampleBytes: most, loaded } = work.config
    const quotas = loaded ? new Map<string, number>() : evenQuotas(await countBytes(work), most)
    const tokenizer = loaded
      ? await Tokenizer.load(resolve(work.places.baseDir, loaded.path))
      : await trainTokenizer(sample(work, quotas), {
          vocabSize,
          onProgress: work.onProgress,
          stop: work.stop,
        })
    await tokenizer.save(join(work.folder, 'tokenizer'))
    const bytesPerToken: Record<string, number> = {}
    for (const [domain, texts] of await measuredTexts(work)) {
      const tokens = tokenizer.encodeBatch(texts).reduce((sum, ids) => sum + ids.length, 0)
      bytesPerToken[domain] =
        texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / Math.max(1, tokens)
    }
    await writeJson(work, 'stats.json', { vocabSize: tokenizer.vocabSize, bytesPerToken })
    const warnings =
      !loaded && tokenizer.vocabSize < vocabSize
        ? [`the text has only enough pairs for ${tokenizer.vocabSize} of ${vocabSize} tokens`]
        : []
    const sampleBytes = [...quotas.values()].reduce((sum, bytes) => sum + bytes, 0)
    return { counts: { vocabSize: tokenizer.vocabSize, sampleBytes }, metrics: bytesPerToken, warnings }
  },
}

async function countBytes(work: StepWork<TokenizerConfig>): Promise<Map<string, number>> {
  const bytes = new Map<string, number>()
  for await (const batch of documentsOf(work)) {
    for (const document of batch) {
      const domain = domainOf(document)
      bytes.set(domain, (bytes.get(domain) ?? 0) + Buffer.byteLength(document.text))
    }
  }
  return bytes
}

/** The same for every domain; what a small one cannot give, the others give. */
function evenQuotas(bytesByDomain: ReadonlyMap<string, number>, total: number): Map<string, number> {
  const quotas = new Map<string, number>()
  const domains = [...bytesByDomain].sort((a, b) => a[1] - b[1])
  let left = total
  for (const [i, [domain, bytes]] of domains.entries()) {
    const quota = Math.min(bytes, Math.floor(left / (domains.length - i)))
    quotas.set(domain, quota)
    left -= quota
  }
  return quotas
}

async function* sample(
  work: StepWork<TokenizerConfig>,
  quotas: ReadonlyMap<string, number>,
): AsyncGenerator<string[]> {
  const left = new Map(quotas)
  for await (const batch of documentsOf(work)) {
    const texts: string[] = []
    for (const document of batch) {
      const domain = domainOf(document)
      const room = left.get(domain) ?? 0
      if (room <= 0) continue
      left.set(domain, room - Buffer.byteLength(document.text))
      texts.push(document.text)
    }
    yield texts
  }
}

const MEASURED_CHARACTERS = 1_000_000

/** About a megabyte of each domain, from its beginning. */
async function measuredTexts(work: StepWork<TokenizerConfig>): Promise<Iterable<[string, string[]]>> {
  const texts = new Map<string, string[]>()
  const characters = new Map<string, number>()
  for await (const batch of documentsOf(work)) {
    for (const document of batch) {
      const domain = domainOf(document)
      const before = characters.get(domain) ?? 0
      if (before >= MEASURED_CHARACTERS) continue
      characters.set(domain, before + document.text.length)
      texts.set(domain, [...(texts.get(domain) ?? []), document.text])
    }
  }
  return texts
}
