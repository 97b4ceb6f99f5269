/** What went wrong, as a script sees it. Each maps to one documented exit code (docs/exit-codes.md). */
export type ErrorCode =
  | 'usage' // the command line or a call's arguments are wrong
  | 'recipe' // a recipe does not say something that can be done
  | 'input' // a file or document from outside cannot be read as what it should be
  | 'damaged' // a file of ours fails its checksum or ends too early
  | 'storage' // the disk is full, read-only, or refuses
  | 'network' // a download failed
  | 'environment' // a tool or a native part is missing or too old
  | 'interrupted' // a signal asked the run to stop; what was done is saved
  | 'internal' // a defect of smolforge

export interface ErrorPlace {
  file?: string
  line?: number
  column?: number
  byte?: number
  field?: string
}

/**
 * The one error family: what was wrong, where, and what to do about it.
 * The command line prints `message`, the place and `hint`, and no stack trace unless the code is `internal`.
 */
export class SmolforgeError extends Error {
  readonly code: ErrorCode
  readonly place: ErrorPlace
  readonly hint?: string

  constructor(
    code: ErrorCode,
    message: string,
    options: { place?: ErrorPlace; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SmolforgeError'
    this.code = code
    this.place = options.place ?? {}
    this.hint = options.hint
  }
}

/** `file:line:column field (byte n)`, as far as they are known. */
export function formatPlace(place: ErrorPlace): string {
  const position = [place.file, place.line, place.column].filter((part) => part !== undefined).join(':')
  const byte = place.byte === undefined ? '' : `(byte ${place.byte})`
  return [position, place.field, byte].filter(Boolean).join(' ')
}

/** The message for a person: what, where and what to do, on one to three lines. */
export function explainError(error: unknown): string {
  if (!(error instanceof SmolforgeError)) return error instanceof Error ? error.message : String(error)
  const where = formatPlace(error.place)
  return [error.message, where && `  at ${where}`, error.hint && `  ${error.hint}`].filter(Boolean).join('\n')
}

const STORAGE_HINTS: Record<string, string> = {
  ENOSPC: 'The disk is full: free some space and run the same command again, finished work is kept.',
  EDQUOT: 'The disk quota is used up: free some space and run the same command again, finished work is kept.',
  EROFS: 'The file system is read-only: choose another folder.',
  EACCES: 'Permission denied: check who owns the file.',
  EPERM: 'Permission denied: check who owns the file.',
  EIO: 'The disk reports an input/output error: check its health.',
  EFBIG: 'The file is larger than this file system or limit allows.',
  EMFILE: 'Too many open files: raise the limit (ulimit -n).',
}

/** Turns an error of the file system into one of ours that names the file; passes anything else on. */
export function fileError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || error instanceof SmolforgeError || !('code' in error)) return error
  const code = String(error.code)
  if (code === 'ENOENT') {
    return new SmolforgeError('input', 'No such file or folder', { place: { file }, cause: error })
  }
  if (code === 'EISDIR' || code === 'ENOTDIR') {
    const what =
      code === 'EISDIR' ? 'This is a folder, a file was expected' : 'A part of this path is no folder'
    return new SmolforgeError('input', what, { place: { file }, cause: error })
  }
  const hint = STORAGE_HINTS[code]
  if (hint === undefined) return error
  return new SmolforgeError('storage', `Cannot read or write (${code})`, {
    place: { file },
    hint,
    cause: error,
  })
}
