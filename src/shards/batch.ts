/** Where one row of a batch came from. */
export interface BatchRow {
  domain: string
  /** The row covers the tokens `start..end` of the domain's stream: all its epochs, one after the other. */
  start: number
  end: number
  /** The same as positions in the shard set, one piece for each document: `ShardSet.documentAt(piece.start)`. */
  pieces: readonly { start: number; end: number }[]
}

/** Rows of packed documents, each array `batchSize * sequenceLength` long and row-major. */
export interface TokenBatch {
  batchSize: number
  sequenceLength: number
  tokens: Int32Array
  /** The token after each token; below 0 where none is to be predicted (after a document's end). */
  targets: Int32Array
  /** The number of the document within the row: attention stays inside one segment. */
  segments: Int32Array
  rows: readonly BatchRow[]
}
