/** Where one row of a batch came from. */
export interface BatchRow {
  domain: string
  /** The row covers the tokens `start..end` of the domain's stream: all its epochs, one after the other. */
  start: number
  end: number
  /** The same as positions in the shard set, one piece for each document: `ShardSet.documentAt(piece.start)`. */
  pieces: readonly { start: number; end: number }[]
  /** Places of the row without a token. */
  padding: number
  /** Places with tokens of a document that began in another row: they are read without its beginning. */
  continued: number
}

/** What the places of many rows held. */
export interface RowFill {
  /** Rows times `sequenceLength`. */
  places: number
  padding: number
  continued: number
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
