import type { Document } from '../corpus/index.ts'
import { SmolforgeError } from '../errors.ts'
import type { Rule, Verdict } from './verdict.ts'

/**
 * Asks a rule about a batch.
 *
 * @throws SmolforgeError `internal` when it answers with the wrong number of verdicts.
 */
export async function judge(rule: Rule, batch: readonly Document[]): Promise<readonly Verdict[]> {
  const verdicts = await rule.judge(batch)
  if (verdicts.length === batch.length) return verdicts
  const counts = `${verdicts.length} verdicts for ${batch.length} documents`
  throw new SmolforgeError('internal', `The rule ${rule.name} gave ${counts}`)
}
