import { join } from 'node:path'
import { type Document, type DocumentStream, writeDocuments } from '../../corpus/index.ts'
import { splitHeldOut } from '../../curate/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind } from '../step.ts'
import { DocumentPipe, documentsOf, HELD_OUT, writeBoth, writeFunnel, writeJson } from './curation.ts'

/** Sets documents aside that training never sees and that nothing in training resembles. */
export const splitStep: StepKind<Recipe['curate']['heldOut'] & { seed: number }> = {
  kind: 'split',
  version: 1,
  resumes: false,
  async run(work) {
    const { share, minDocuments, maxOverlap, seed } = work.config
    const split = await splitHeldOut(() => documentsOf(work), {
      fractionByDomain: share,
      minDocuments,
      maxOverlap,
      seed,
      step: work.name,
      onProgress: work.onProgress,
      stop: work.stop,
    })
    const held = new Set(split.heldOut.map(({ id }) => id))
    const dropped = new DocumentPipe()
    await writeBoth(work, split.training, dropped)
    await writeDocuments(join(work.folder, HELD_OUT), one(split.heldOut))
    await writeJson(work, 'split.json', split.byDomain)
    const result = await writeFunnel(work, split.funnel())
    return { ...result, counts: { ...result.counts, heldOut: held.size } }
  },
}

async function* one(documents: readonly Document[]): DocumentStream {
  yield documents
}
