/**
 * Gives what `source` gives, and has it work on the next item while the consumer is busy with the last: one item more is
 * in memory. A consumer that stops early waits until that item is done.
 */
export async function* readAhead<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const items = source[Symbol.asyncIterator]()
  const start = () => {
    const item = items.next()
    // It may fail while the consumer is still busy; whoever awaits it is told.
    item.catch(() => {})
    return item
  }
  let ahead = start()
  try {
    while (true) {
      const item = await ahead
      if (item.done) return
      ahead = start()
      yield item.value
    }
  } finally {
    await ahead.catch(() => {})
    await items.return?.()
  }
}
