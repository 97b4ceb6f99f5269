import { type ErrorCode, SmolforgeError } from '../errors.ts'

/** What the process answers a script with; docs/exit-codes.md says the same in words. */
const codes: Record<ErrorCode, number> = {
  internal: 1,
  usage: 2,
  recipe: 3,
  input: 4,
  damaged: 5,
  storage: 6,
  network: 7,
  environment: 8,
  interrupted: 130,
}

const TERMINATED = 143

/** The exit code for an error; an interruption by SIGTERM answers as shells do for it. */
export function exitCodeOf(error: unknown, signal?: NodeJS.Signals): number {
  if (!(error instanceof SmolforgeError)) return codes.internal
  if (error.code === 'interrupted' && signal === 'SIGTERM') return TERMINATED
  return codes[error.code]
}

export const exitCodesHelp = `
Exit codes: 0 done, 1 a defect of smolforge, 2 usage, 3 recipe, 4 input, 5 damaged file, 6 storage,
7 network, 8 environment, 130 stopped by SIGINT, 143 by SIGTERM (docs/exit-codes.md).`
