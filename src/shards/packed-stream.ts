import { Random } from '../random/random.ts'
import { type Packing, packBestFit } from './bestFit.ts'
import { EpochPlace } from './epochPlace.ts'
import type { RowStream, RowTarget, StreamPlace } from './row-stream.ts'
import type { ShardSet } from './set.ts'

/** The rows of an epoch, and the order in which they come. */
interface PackedEpoch {
  packing: Packing
  rows: Uint32Array
}

/**
 * A domain's documents packed by best fit, epoch after epoch: each epoch has its own packing and order of rows, which
 * follow from the seed; `place` is a row of the epoch. Every token is an input exactly once an epoch.
 */
export class PackedStream implements RowStream {
  readonly #set: ShardSet
  readonly #sequenceLength: number
  readonly #place: EpochPlace<PackedEpoch>

  constructor(domain: string, set: ShardSet, seed: number, sequenceLength: number) {
    this.#set = set
    this.#sequenceLength = sequenceLength
    this.#place = new EpochPlace(set.tokens, (epoch) => {
      const random = Random.derive(seed, `shards/${domain}/best-fit/${epoch}`)
      const documents = random.shuffle(Uint32Array.from({ length: set.documents }, (_, i) => i))
      const packing = packBestFit((document) => set.lengthOf(document), documents, sequenceLength)
      const rows = Uint32Array.from({ length: packing.rowStarts.length - 1 }, (_, i) => i)
      return { packing, rows: random.shuffle(rows) }
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

  hasPlace({ epoch, place, passed }: StreamPlace): boolean {
    if (place === 0) return passed === 0
    return passed <= this.#set.tokens && place < this.#place.order(epoch).rows.length
  }

  /** A row is given whole or not at all. */
  hasRow(limit: number): boolean {
    if (this.#set.tokens === 0) return false
    const pieces = this.#piecesOfRow()
    return this.position + pieces.reduce((sum, { start, end }) => sum + end - start, 0) <= limit
  }

  draw(into: RowTarget, at: number) {
    const start = this.position
    const pieces = this.#piecesOfRow()
    const { tokens, targets, segments } = into
    let place = at
    for (const [segment, piece] of pieces.entries()) {
      const size = piece.end - piece.start
      this.#set.read(piece.start, piece.end, tokens, place)
      targets.set(tokens.subarray(place + 1, place + size), place)
      const last = place + size - 1
      targets[last] = -1
      // A piece that ends inside its document predicts the first token of the next piece.
      if (!piece.endsDocument) this.#set.read(piece.end, piece.end + 1, targets, last)
      segments.fill(segment, place, place + size)
      place += size
    }
    const used = place - at
    const end = at + this.#sequenceLength
    tokens.fill(this.#set.endOfTextId, place, end)
    targets.fill(-1, place, end)
    segments.fill(pieces.length, place, end)
    this.#place.pass(used)
    this.#place.next(this.#place.order().rows.length)
    return {
      start,
      end: start + used,
      pieces: pieces.map(({ start, end }) => ({ start, end })),
      padding: this.#sequenceLength - used,
      continued: pieces.reduce((sum, piece) => sum + (piece.continues ? piece.end - piece.start : 0), 0),
      share: used / this.#sequenceLength,
    }
  }

  #piecesOfRow(): { start: number; end: number; continues: boolean; endsDocument: boolean }[] {
    const { packing, rows } = this.#place.order()
    const { documents, offsets, rowStarts, rowPieces } = packing
    const row = rows[this.at.place]
    return [...rowPieces.subarray(rowStarts[row], rowStarts[row + 1])].map((piece) => {
      const span = this.#set.span(documents[piece])
      const start = span.start + offsets[piece]
      const end = Math.min(span.end, start + this.#sequenceLength)
      return { start, end, continues: start > span.start, endsDocument: end === span.end }
    })
  }
}
