import { SmolforgeError } from '../errors.ts'
import type { DocumentStream } from './document.ts'

export interface WrittenDocuments {
  documents: number
  /** UTF-8 bytes of text. */
  bytes: number
}

/** Writes documents as JSON lines; the extension says how: `.jsonl`, `.jsonl.gz` or `.jsonl.zst`. Atomic. */
export async function writeDocuments(path: string, _documents: DocumentStream): Promise<WrittenDocuments> {
  throw new SmolforgeError('internal', `writeDocuments(${path}) is not there yet`)
}

/** Reads what `writeDocuments` wrote. */
export async function* readDocuments(path: string): DocumentStream {
  yield []
  throw new SmolforgeError('internal', `readDocuments(${path}) is not there yet`)
}
