import { constants } from 'node:os'
import { fileError } from '../errors.ts'

/**
 * Turns an error of a file that the addon met, which ends in `(os error 28)`, into the one of ours that Node's `ENOSPC`
 * would be; passes anything else on.
 */
export function systemError(error: unknown, file: string): unknown {
  if (!(error instanceof Error)) return error
  const number = Number(/\(os error (\d+)\)/.exec(error.message)?.[1])
  const code = Object.entries(constants.errno).find(([, value]) => value === number)?.[0]
  if (code === undefined) return fileError(error, file)
  return fileError(Object.assign(new Error(error.message, { cause: error }), { code }), file)
}
