import type { Damage, Document, Quarantined } from '../document.ts'
import type { SourceFile } from '../files.ts'
import type { ExtractOptions } from '../kernels.ts'

/** A text as a reader finds it, before it becomes a document of its source. */
export interface FoundText {
  file: SourceFile
  /** What tells the texts of one file apart; empty where a file is one text. */
  part: string
  text: string
  url?: string
  meta?: Record<string, string | number | boolean>
  /** Characters that had to be replaced already. */
  replaced?: number
  /** What the text's own record says; it counts where a corpus is converted, not where it is the source of another. */
  own?: Partial<Pick<Document, 'id' | 'source' | 'licence' | 'language' | 'scores'>>
}

export interface ReaderOptions {
  /** The field of a row or line that holds the text. */
  textField: string
  /** How pages become text. */
  extraction?: ExtractOptions
}

/** A page whose extraction was given up after too long. */
export interface QuarantinedPage extends Omit<Quarantined, 'id' | 'file'> {
  file: SourceFile
  part: string
}

/** What a reader reports besides texts. */
export interface Report {
  onQuarantine: (page: QuarantinedPage) => void
  onDamage: (damage: Damage) => void
  onSkip: (reason: string) => void
  /** Bytes of input that were dealt with since the last call. */
  onBytes: (bytes: number) => void
}

/** Reads files one after the other and yields their texts in batches; nothing stays in memory between batches. */
export type Reader = (
  files: readonly SourceFile[],
  report: Report,
  options: ReaderOptions,
) => AsyncIterable<readonly FoundText[]>
