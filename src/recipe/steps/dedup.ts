import { exactDedup, minhashDedup } from '../../curate/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind } from '../step.ts'
import { curateStep, documentsOf } from './curation.ts'

/** Drops documents that are the same as an earlier one, or nearly so. */
export const dedupStep: StepKind<Recipe['curate']['dedup'] & { seed: number }> = {
  kind: 'dedup',
  version: 2,
  resumes: false,
  async run(work) {
    const { exact, minhash, seed } = work.config
    const rules = exact ? [exactDedup()] : []
    const near =
      minhash === false
        ? undefined
        : await minhashDedup(() => documentsOf(work), {
            ...minhash,
            seed,
            scratch: work.folder,
            onProgress: work.onProgress,
            stop: work.stop,
          })
    const result = await curateStep(work, documentsOf(work), near ? [...rules, near] : rules)
    return near ? { ...result, metrics: { nearDuplicateClusters: near.clusters } } : result
  },
}
