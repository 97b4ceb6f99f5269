import { parentPort } from 'node:worker_threads'
import { flattenError } from '../files/threads.ts'
import { SharedStop } from '../progress/progress.ts'
import { executeHere, type WorkerReply, type WorkerRequest } from './executor.ts'

// The body of the thread that does steps: one request at a time, progress on the way, one answer.
const port = parentPort
const reply = (message: WorkerReply) => port?.postMessage(message)

port?.on('message', async ({ job, stopMemory }: WorkerRequest) => {
  try {
    const result = await executeHere(job, {
      onProgress: (event) => reply({ type: 'progress', event }),
      stop: new SharedStop(stopMemory),
    })
    reply({ type: 'result', result })
  } catch (error) {
    reply({ type: 'error', error: flattenError(error) })
  }
})
