import { Random } from '../random/random.ts'
import { EpochPlace } from './epochPlace.ts'
import type { RowStream, RowTarget, StreamPlace } from './row-stream.ts'
import type { ShardSet } from './set.ts'

/** A row as it was read: `length` tokens, fewer than asked for at the end of the stream. */
interface DrawnRow {
  length: number
  /** Positions in the stream. */
  start: number
  end: number
  /** Positions in the shard set, one for each document. */
  pieces: { start: number; end: number }[]
  /** Places in the row where a document's last token stands. */
  documentEnds: number[]
}

/**
 * A domain's documents one after the other, epoch after epoch, each epoch in an order of its own that follows from the
 * seed. No document comes twice in an epoch.
 */
export class DomainStream implements RowStream {
  readonly #set: ShardSet
  readonly #sequenceLength: number
  readonly #place: EpochPlace<Uint32Array>

  constructor(domain: string, set: ShardSet, seed: number, sequenceLength: number) {
    this.#set = set
    this.#sequenceLength = sequenceLength
    this.#place = new EpochPlace(set.tokens, (epoch) => {
      const order = Uint32Array.from({ length: set.documents }, (_, i) => i)
      return Random.derive(seed, `shards/${domain}/epoch/${epoch}`).shuffle(order)
    })
  }

  get at(): StreamPlace {
    return this.#place.at
  }

  set at(at: StreamPlace) {
    this.#place.at = at
  }

  get position(): number {
    return this.#place.position
  }

  hasPlace({ place, passed }: StreamPlace): boolean {
    return passed <= this.#set.tokens && (place === 0 || place < this.#set.documents)
  }

  /** One token alone predicts nothing. */
  hasRow(limit: number): boolean {
    return limit - this.position > 1
  }

  draw(into: RowTarget, at: number, limit: number) {
    const length = this.#sequenceLength
    const continues = this.at.offset > 0
    const drawn = new Int32Array(length + 1).fill(this.#set.endOfTextId)
    const row = this.#read(length + 1, limit, drawn)
    into.tokens.set(drawn.subarray(0, length), at)
    into.targets.set(drawn.subarray(1), at)
    // What a domain at its cap could not fill is padding: a segment of its own that predicts nothing.
    if (row.length <= length) into.targets.fill(-1, at + row.length - 1, at + length)
    let from = 0
    let segment = 0
    for (const end of row.documentEnds) {
      if (end < length) into.targets[at + end] = -1
      into.segments.fill(segment++, at + from, at + Math.min(end + 1, length))
      from = end + 1
    }
    if (from < length) into.segments.fill(segment, at + from, at + length)
    if (from < row.length && row.length < length)
      into.segments.fill(segment + 1, at + row.length, at + length)
    const { start, end, pieces } = row
    const continued = continues ? Math.min(length, pieces[0].end - pieces[0].start) : 0
    return { start, end, pieces, padding: Math.max(0, length - row.length), continued, share: 1 }
  }

  /**
   * Reads up to `count` tokens, no further than position `limit`. A row that ends inside a document leaves its last
   * token to be drawn again: a target here, the first input of the next row, so no prediction is lost between rows.
   */
  #read(count: number, limit: number, into: Int32Array): DrawnRow {
    const start = this.position
    const row: DrawnRow = { length: 0, start, end: start, pieces: [], documentEnds: [] }
    while (row.length < count && row.end < limit) {
      const { place, offset } = this.at
      const span = this.#set.span(this.#place.order()[place])
      const from = span.start + offset
      const taken = Math.min(span.end - from, count - row.length, limit - row.end)
      this.#set.read(from, from + taken, into, row.length)
      row.pieces.push({ start: from, end: from + taken })
      row.length += taken
      row.end += taken
      this.#place.pass(taken)
      if (from + taken === span.end) {
        row.documentEnds.push(row.length - 1)
        this.#place.next(this.#set.documents)
      }
    }
    if (row.length > 0 && row.documentEnds.at(-1) !== row.length - 1) this.#place.pass(-1)
    return row
  }
}
