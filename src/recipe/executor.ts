import { Worker } from 'node:worker_threads'
import { SmolforgeError } from '../errors.ts'
import { type PlainError, reviveError } from '../files/threads.ts'
import { type Progress, type ProgressEvent, SharedStop, type StopSignal } from '../progress/progress.ts'
import type { StepExecutor, StepJob, StepResult } from './step.ts'
import { stepKinds } from './steps/registry.ts'

/** Does steps in this thread: for programs that use the library, and for tests. */
export const executeHere: StepExecutor = async (job, watch) => {
  const kind = stepKinds[job.kind]
  if (!kind) throw new SmolforgeError('internal', `No step kind ${job.kind}`)
  return kind.run({ ...job, ...watch })
}

/** What goes to the worker: one step, and the shared byte that asks it to stop. */
export interface WorkerRequest {
  job: StepJob
  stopMemory: SharedArrayBuffer
}

/** What comes back: progress as often as the step reports it, then one result or one error. */
export type WorkerReply =
  | { type: 'progress'; event: ProgressEvent }
  | { type: 'result'; result: StepResult }
  | { type: 'error'; error: PlainError }

/**
 * Does steps one after the other in one worker thread, so that a training step that holds its thread leaves the
 * terminal, the signals and the dashboard alive.
 */
export class StepWorker {
  #worker: Worker | undefined

  readonly execute: StepExecutor = (job, watch) => {
    this.#worker ??= startWorker()
    return converse(this.#worker, job, watch)
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
    this.#worker = undefined
  }
}

function startWorker(): Worker {
  return new Worker(new URL('./worker.js', import.meta.url))
}

function converse(
  worker: Worker,
  job: StepJob,
  watch: { onProgress: Progress; stop: StopSignal },
): Promise<StepResult> {
  // The runner's own signal may be of any kind: only the shared byte reaches into the worker.
  const shared = watch.stop instanceof SharedStop ? watch.stop : new SharedStop()
  const follow =
    shared === watch.stop ? undefined : setInterval(() => watch.stop.stopped && shared.stop(), 50)
  return new Promise<StepResult>((resolve, reject) => {
    const onMessage = (reply: WorkerReply) => {
      if (reply.type === 'progress') return watch.onProgress(reply.event)
      release()
      if (reply.type === 'result') resolve(reply.result)
      else reject(reviveError(reply.error))
    }
    const onError = (error: unknown) => {
      release()
      reject(error)
    }
    const onExit = (code: number) => {
      release()
      reject(new SmolforgeError('internal', `The worker of step ${job.name} ended with code ${code}`))
    }
    const release = () => {
      clearInterval(follow)
      worker.off('message', onMessage)
      worker.off('error', onError)
      worker.off('exit', onExit)
    }
    worker.on('message', onMessage)
    worker.on('error', onError)
    worker.on('exit', onExit)
    worker.postMessage({ job, stopMemory: shared.memory } satisfies WorkerRequest)
  })
}
