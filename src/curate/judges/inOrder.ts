/**
 * Does `work` on every item, at most `concurrency` at once, and yields the results in the order of the items. Nothing is
 * read far ahead: a slow item holds back those after it once four times `concurrency` wait. When one fails, `abort` tells
 * the others, unless `letOthersEnd` says of its error that what has begun is worth its end; the error is thrown once all
 * have ended.
 */
export async function* mapInOrder<Item, Result>(
  items: AsyncIterable<Item>,
  concurrency: number,
  work: (item: Item) => Promise<Result>,
  abort: AbortController,
  letOthersEnd: (error: unknown) => boolean = () => false,
): AsyncGenerator<Result> {
  const waiting: Promise<Result>[] = []
  let running = 0
  const queue: (() => void)[] = []
  const turn = async (item: Item): Promise<Result> => {
    if (running >= concurrency) await new Promise<void>((resolve) => queue.push(resolve))
    else running++
    try {
      abort.signal.throwIfAborted()
      return await work(item)
    } catch (error) {
      if (!letOthersEnd(error)) abort.abort(error)
      throw error
    } finally {
      // The place goes to the next in the queue, or is free.
      const next = queue.shift()
      if (next) next()
      else running--
    }
  }
  try {
    for await (const item of items) {
      abort.signal.throwIfAborted()
      const result = turn(item)
      result.catch(() => {})
      waiting.push(result)
      if (waiting.length >= 4 * concurrency) yield await (waiting.shift() as Promise<Result>)
    }
    while (waiting.length > 0) yield await (waiting.shift() as Promise<Result>)
  } catch (error) {
    if (!letOthersEnd(error)) abort.abort(error)
    await Promise.allSettled(waiting)
    throw abort.signal.aborted ? abort.signal.reason : error
  } finally {
    abort.abort()
  }
}
