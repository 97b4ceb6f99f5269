import type { Document } from '../corpus/index.ts'

/** Keep, or drop with the rule that dropped and the number it looked at. */
export type Verdict = { keep: true } | { keep: false; rule: string; value: number; threshold?: number }

/** A rule gives one verdict for each document of a batch and says which numbers it looked at. */
export interface Rule {
  readonly name: string
  judge(batch: readonly Document[]): readonly Verdict[] | Promise<readonly Verdict[]>
}
