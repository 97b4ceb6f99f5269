import { SmolforgeError } from '../../errors.ts'
import type { StepKind } from '../step.ts'

/** The report is written by a room that recipes know nothing of: the run calls the writer it was handed. */
export const reportStep: StepKind<Record<string, never>> = {
  kind: 'report',
  version: 1,
  resumes: false,
  run() {
    throw new SmolforgeError('internal', 'The report step runs where its writer is')
  },
}
