import { Random } from '../random/random.ts'
import { type Packing, packBestFit } from './bestFit.ts'
import type { RowStream, RowTarget, StreamPlace } from './row-stream.ts'
import type { ShardSet } from './set.ts'

/**
 * A domain's documents packed by best fit, epoch after epoch: each epoch has its own packing and order of rows, which
 * follow from the seed; `place` is a row of the epoch. Every token is an input exactly once an epoch.
 */
export class PackedStream implements RowStream {
  readonly #set: ShardSet
  readonly #seed: number
  readonly #domain: string
  readonly #sequenceLength: number
  #at: StreamPlace = { epoch: 0, place: 0, offset: 0, passed: 0 }
  #packing: Packing | undefined
  #rows: Uint32Array = new Uint32Array(0)
  #packedEpoch = -1

  constructor(domain: string, set: ShardSet, seed: number, sequenceLength: number) {
    this.#domain = domain
    this.#set = set
    this.#seed = seed
    this.#sequenceLength = sequenceLength
  }

  get at(): StreamPlace {
    return { ...this.#at }
  }

  set at(at: StreamPlace) {
    this.#at = { ...at }
  }

  get position(): number {
    return this.#at.epoch * this.#set.tokens + this.#at.passed
  }

  hasPlace({ epoch, place, passed }: StreamPlace): boolean {
    if (place === 0) return passed === 0
    this.#pack(epoch)
    return passed <= this.#set.tokens && place < this.#rows.length
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
    this.#at.passed += used
    this.#at.place++
    if (this.#at.place === this.#rows.length) {
      this.#at = { epoch: this.#at.epoch + 1, place: 0, offset: 0, passed: 0 }
    }
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
    const { documents, offsets, rowStarts, rowPieces } = this.#pack(this.#at.epoch)
    const row = this.#rows[this.#at.place]
    return [...rowPieces.subarray(rowStarts[row], rowStarts[row + 1])].map((piece) => {
      const span = this.#set.span(documents[piece])
      const start = span.start + offsets[piece]
      const end = Math.min(span.end, start + this.#sequenceLength)
      return { start, end, continues: start > span.start, endsDocument: end === span.end }
    })
  }

  #pack(epoch: number): Packing {
    if (this.#packing !== undefined && this.#packedEpoch === epoch) return this.#packing
    const random = Random.derive(this.#seed, `shards/${this.#domain}/best-fit/${epoch}`)
    const order = random.shuffle(Uint32Array.from({ length: this.#set.documents }, (_, i) => i))
    const packing = packBestFit((document) => this.#set.lengthOf(document), order, this.#sequenceLength)
    this.#rows = random.shuffle(Uint32Array.from({ length: packing.rowStarts.length - 1 }, (_, i) => i))
    this.#packing = packing
    this.#packedEpoch = epoch
    return packing
  }
}
