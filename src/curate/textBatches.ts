import type { Damage } from '../corpus/index.ts'
import { loadAddon } from '../native/addon.ts'
import { systemError } from '../native/systemError.ts'

/**
 * Texts of documents that live in the native addon: passes take the batch, and only what is asked for becomes a
 * JavaScript string.
 */
export interface TextBatch {
  readonly length: number
  /** UTF-8 bytes of text. */
  readonly bytes: number
  /** Half surrogate pairs and bytes that are no UTF-8: each became U+FFFD. */
  readonly replaced: number
  text(document: number): string
  /** The 1-based line of the file. */
  line(document: number): number
  /** For each document its id as a JSON literal (`"a"`, `17`); its line's number where it has none. */
  idsJson(): string[]
  urls(): (string | null)[]
  /** A line `{"id":ID` + `rest` for each document from `from` up to `to`. */
  lines(from: number, to: number, rest: string): string
  /** A line `{"id","text"}` for each document that `keep` has a 1 for. */
  keptLines(keep: Uint8Array, threads?: number): Promise<Buffer>
  /** Gives the memory back at once; a batch that nobody holds is given back some time later. */
  release(): void
}

export interface ReadTextsOptions {
  /** Bytes of lines in a batch, 16 MiB where not said; a longer line makes a batch of its own. */
  batchBytes?: number
  /** A longer line is a damage. 256 MiB where not said, 1 GiB at most. */
  maxLineBytes?: number
  threads?: number
  onDamage?: (damage: Damage) => void
}

/**
 * Reads the documents of a file of JSON lines, plain, gzip or zstd as its first bytes say, some 16 MiB at a time; the next
 * batch is read while the last is worked on. A batch is released when the next is asked for.
 */
export async function* readJsonLinesBatches(
  path: string,
  options: ReadTextsOptions = {},
): AsyncGenerator<TextBatch> {
  const { batchBytes = 16 << 20, maxLineBytes = 256 << 20, threads, onDamage } = options
  const guard = (error: unknown) => {
    throw systemError(error, path)
  }
  const reader = openReader(path, maxLineBytes)
  const start = () => {
    const next = reader.next(batchBytes, threads)
    // It may fail while the consumer is still busy with the batch before.
    next.catch(() => {})
    return next
  }
  let ahead = start()
  while (true) {
    const { batch, damages } = await ahead.catch(guard)
    for (const { offset, length, line, reason } of damages) {
      const where = line > 0 ? `line ${line}: ${reason}` : reason
      onDamage?.({ file: path, byteOffset: offset, bytesLost: length, reason: where })
    }
    if (!batch) return
    ahead = start()
    try {
      yield batch
    } finally {
      batch.release()
    }
  }
}

/** A batch of strings from elsewhere than JSON lines, with their ids as JSON literals: numbers from 0 on where there are none. */
export function textBatch(
  texts: readonly string[],
  idsJson?: readonly string[],
  urls?: readonly (string | undefined)[],
): TextBatch {
  return new (loadAddon<TextKernels>().TextBatch)(texts, idsJson, urls)
}

function openReader(path: string, maxLineBytes: number): TextReader {
  try {
    return new (loadAddon<TextKernels>().TextReader)(path, maxLineBytes)
  } catch (error) {
    throw systemError(error, path)
  }
}

interface TextKernels {
  TextBatch: new (
    texts: readonly string[],
    idsJson?: readonly string[],
    urls?: readonly (string | undefined)[],
  ) => TextBatch
  TextReader: new (path: string, maxLineBytes: number) => TextReader
}

interface TextReader {
  next(bytes: number, threads?: number): Promise<ReadTexts>
}

interface ReadTexts {
  batch?: TextBatch | null
  damages: { offset: number; length: number; line: number; reason: string }[]
}
