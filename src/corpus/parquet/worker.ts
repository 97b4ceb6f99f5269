import { parentPort, workerData } from 'node:worker_threads'
import { flattenError } from '../../files/threads.ts'
import type { DecodeReply, DecodeRequest } from './guard.ts'
import { decodeParquet } from './read.ts'

// The body of the thread that decodes a Parquet file: a part for each request.
const { path, from } = workerData as DecodeRequest
const parts = decodeParquet(path, from)
const reply = (message: DecodeReply) => parentPort?.postMessage(message)

parentPort?.on('message', async () => {
  try {
    reply({ type: 'item', item: await parts.next() })
  } catch (error) {
    reply({ type: 'error', error: flattenError(error) })
  }
})
