/** What a file command did, for its last line on standard error. */
export interface FileStatistics {
  /** Documents read. */
  documents: number
  /** Bytes of the input as it lies on disk or comes over the wire. */
  bytes: number
  seconds: number
  /** Documents dropped, by the name of the rule. */
  dropped: Readonly<Record<string, number>>
  /** Parts of the input that gave no document. */
  damaged: number
}

/**
 * Writes the last line of a file command to standard error: one JSON object
 * `{"documents","bytes","seconds","dropped","damaged"}`, rules sorted by name, seconds to the millisecond.
 */
export function writeStatisticsLine(statistics: FileStatistics): void {
  const { documents, bytes, seconds, dropped, damaged } = statistics
  const rules = Object.entries(dropped).sort(([a], [b]) => (a < b ? -1 : 1))
  const line = {
    documents,
    bytes,
    seconds: Math.round(seconds * 1000) / 1000,
    dropped: Object.fromEntries(rules),
    damaged,
  }
  process.stderr.write(`${JSON.stringify(line)}\n`)
}
