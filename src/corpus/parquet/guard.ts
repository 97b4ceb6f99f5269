import { Worker } from 'node:worker_threads'
import { SmolforgeError } from '../../errors.ts'
import { readAhead } from '../../files/readAhead.ts'
import { type PlainError, reviveError, workersAvailable } from '../../files/threads.ts'
import { decodeParquet, type GroupBegins, type ParquetPart } from './read.ts'

/** What the thread that decodes is told, and what it answers to each request. */
export interface DecodeRequest {
  path: string
  from: number
}
export type DecodeReply =
  | { type: 'item'; item: IteratorResult<ParquetPart | GroupBegins, void> }
  | { type: 'error'; error: PlainError }

/** A slice takes well under a second. */
const MAX_MILLISECONDS = 30_000
/** Of V8's heap: several slices with room to spare. */
const MAX_HEAP_MEGABYTES = 2048

/**
 * `decodeParquet` in a thread of its own, a part ahead of the consumer. Damaged pages can send the decoder into loops
 * without an end or fill its memory: then the thread is ended, the row group is a damage, and the next one is read.
 *
 * @throws SmolforgeError as `decodeParquet`.
 */
export function readParquet(
  path: string,
  { maxMilliseconds = MAX_MILLISECONDS } = {},
): AsyncGenerator<ParquetPart> {
  return readAhead(guarded(path, maxMilliseconds))
}

async function* guarded(path: string, maxMilliseconds: number): AsyncGenerator<ParquetPart> {
  for (let from = 0; ; ) {
    let at: GroupBegins | undefined
    const source = workersAvailable ? decodeElsewhere(path, from, maxMilliseconds) : decodeParquet(path, from)
    try {
      for await (const part of source) {
        if ('group' in part) at = part
        else yield part
      }
      return
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error
      if (at === undefined) {
        throw new SmolforgeError('damaged', `The Parquet file has no readable footer: ${error.message}`, {
          place: { file: path, byte: 0 },
          hint: 'Make or fetch the file again: without its footer nothing in it can be found.',
        })
      }
      const { group, start, end } = at
      yield { byteOffset: start, bytesLost: end - start, reason: `row group ${group}: ${error.message}` }
      from = group + 1
    }
  }
}

class GivenUp extends Error {}

async function* decodeElsewhere(
  path: string,
  from: number,
  maxMilliseconds: number,
): AsyncGenerator<ParquetPart | GroupBegins> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: { path, from } satisfies DecodeRequest,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MEGABYTES },
  })
  try {
    for (;;) {
      const reply = await answer(worker, maxMilliseconds)
      if (reply.type === 'error') throw reviveError(reply.error)
      if (reply.item.done) return
      yield reply.item.value
    }
  } finally {
    await worker.terminate()
  }
}

function answer(worker: Worker, maxMilliseconds: number): Promise<DecodeReply> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      settle(() => reject(new GivenUp(`its rows took longer than ${maxMilliseconds} ms`)))
    }, maxMilliseconds)
    const onMessage = (reply: DecodeReply) => settle(() => resolve(reply))
    const onError = (error: Error & { code?: string }) => {
      const full = error.code === 'ERR_WORKER_OUT_OF_MEMORY'
      settle(() => reject(full ? new GivenUp('its rows need more memory than there is for them') : error))
    }
    function settle(end: () => void): void {
      clearTimeout(timer)
      worker.off('message', onMessage)
      worker.off('error', onError)
      end()
    }
    worker.on('message', onMessage)
    worker.on('error', onError)
    worker.postMessage('next')
  })
}
