import { join } from 'node:path'
import { writeJsonLines } from '../../files/jsonl.ts'
import { preferencePairs } from '../../synth/index.ts'
import type { StepKind } from '../step.ts'
import { countKinds, makeConversations } from './sftData.ts'

/** Preference pairs: answers of conversations that SFT did not see, against the same answers spoiled. */
export const dpoDataStep: StepKind<{ seed: number; pairs: number }> = {
  kind: 'dpo-data',
  version: 1,
  resumes: false,
  async run(work) {
    const { seed, pairs: count } = work.config
    const conversations = await makeConversations(work, 2 * count, seed + 1)
    const pairs = preferencePairs(conversations, { seed, count })
    await writeJsonLines(join(work.folder, 'pairs.jsonl'), pairs)
    return { counts: { pairs: pairs.length, ...countKinds(pairs.map(({ flaw }) => ({ kind: flaw }))) } }
  },
}
