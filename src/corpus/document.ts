/** One text with where it came from. Readers yield batches of them, every curation step takes and yields batches. */
export interface Document {
  /** Unique within a corpus and stable between runs: `source:path` or `source:path#n`. */
  id: string
  text: string
  /** The name of the source in the recipe, for example `speeches`. */
  source: string
  /** SPDX expression or the name that the source gives, `unknown` where it says nothing. */
  licence: string
  url?: string
  /** ISO 639-3 code once language identification ran. */
  language?: string
  /** Numbers that steps measured: `languageScore`, `eduScore`, ... */
  scores: Record<string, number>
  /** What else is known: `path`, `domain`, `mime`. */
  meta: Record<string, string | number | boolean>
}

export type DocumentBatch = readonly Document[]
export type DocumentStream = AsyncIterable<DocumentBatch>

/** A document that was given up because work on it took too long: what to look at by hand. */
export interface Quarantined {
  /** The id that it would have had. */
  id: string
  file: string
  byteOffset: number
  byteLength: number
  url?: string
  reason: string
}

/** A part of the input that could not be read, to the byte. */
export interface Damage {
  file: string
  byteOffset: number
  bytesLost: number
  reason: string
  /** Of which document, where that is known: its address. */
  id?: string
}
