import { join } from 'node:path'
import type { Document } from '../../corpus/index.ts'
import { domainOf } from '../../curate/index.ts'
import { writeJsonLines } from '../../files/jsonl.ts'
import { type Conversation, dictionaryEntries, instructionPairs } from '../../synth/index.ts'
import type { StepKind, StepWork } from '../step.ts'
import { documentsOf } from './curation.ts'
import { readEvalItems } from './evalItems.ts'

/** Conversations made from training documents: definitions, sums, code, reading, dialogue. */
export const sftDataStep: StepKind<{ seed: number; examples: number }> = {
  kind: 'sft-data',
  version: 1,
  resumes: false,
  async run(work) {
    const conversations = await makeConversations(work, work.config.examples)
    await writeJsonLines(join(work.folder, 'conversations.jsonl'), conversations)
    return { counts: countKinds(conversations) }
  },
}

/** The same seed gives the same conversations; none uses a held-out word or gloss. */
export async function makeConversations(
  work: StepWork<{ seed: number }>,
  count: number,
  seed = work.config.seed,
): Promise<Conversation[]> {
  const { entries: heldOut } = await readEvalItems(work.inputs['eval-items'])
  const dictionary: Document[] = []
  const code: Document[] = []
  const prose: Document[] = []
  for await (const batch of documentsOf(work, 'decontaminate')) {
    for (const document of batch) {
      const domain = domainOf(document)
      if (domain === 'dictionary') dictionary.push(document)
      else if (domain === 'code') code.push(document)
      else if (domain !== 'maths') prose.push(document)
    }
  }
  return instructionPairs(
    { dictionary: dictionary.flatMap((document) => dictionaryEntries(document)), code, prose },
    { seed, count, heldOut },
  )
}

export function countKinds(made: readonly { kind: string }[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind } of made) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
