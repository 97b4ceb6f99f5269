#!/usr/bin/env node
import { CommanderError } from 'commander'
import { exitCodeOf } from './exitCodes.ts'
import { reportError } from './output.ts'
import { makeProgram } from './program.ts'
import { stoppedBy } from './signals.ts'

// A reader that goes away (`smolforge ... | head`) is no error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}

try {
  await makeProgram().parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    reportError(error, process.argv.includes('--json'))
    process.exitCode = exitCodeOf(error, stoppedBy())
  }
}
