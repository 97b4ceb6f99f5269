import { constants } from 'node:os'
import { SharedStop } from '../progress/progress.ts'

export interface StopBySignal {
  stop: SharedStop
  /** The signal that came, if one did. */
  readonly signal: NodeJS.Signals | undefined
  release(): void
}

/** The first SIGINT or SIGTERM asks the work to save and end; the second ends the process at once. */
export function stopBySignal(say: (line: string) => void): StopBySignal {
  const stop = new SharedStop()
  let signal: NodeJS.Signals | undefined
  const onSignal = (came: NodeJS.Signals) => {
    if (signal !== undefined) process.exit(128 + constants.signals[came])
    signal = came
    lastSignal = came
    say('Stopping: the step at work saves its state. Once more ends at once.')
    stop.stop()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    stop,
    get signal() {
      return signal
    },
    release() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}

let lastSignal: NodeJS.Signals | undefined

/** The signal that stopped this process's work, for the exit code. */
export const stoppedBy = () => lastSignal
