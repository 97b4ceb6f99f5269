import type { Document } from '../corpus/index.ts'

/** What a rule changes on a document that it keeps: a cleaned text, the language it found, scores it measured. */
export interface DocumentChanges {
  text?: string
  language?: string
  scores?: Record<string, number>
}

/** Why a document goes: the rule, the number it looked at, the limit that number broke, and what else is worth knowing. */
export interface Drop {
  keep: false
  /** The rule and, after a dot, its option: `gopherQuality.minDocWords`. */
  rule: string
  value: number
  threshold?: number
  /** For example `keptId` of a near-duplicate, `item` and `passage` of a contamination. */
  detail?: Record<string, string | number>
}

/** Keep, perhaps changed, or drop with the rule that dropped and the number it looked at. */
export type Verdict = { keep: true; changes?: DocumentChanges } | Drop

/** A rule gives one verdict for each document of a batch and says which numbers it looked at. */
export interface Rule {
  readonly name: string
  judge(batch: readonly Document[]): readonly Verdict[] | Promise<readonly Verdict[]>
}

/** The verdict of a rule that has nothing to say. One object for all: verdicts are never changed. */
export const keep: Verdict = Object.freeze({ keep: true })
