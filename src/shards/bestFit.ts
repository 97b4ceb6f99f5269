/** Pieces of documents in rows: row `r` has the pieces `rowPieces[rowStarts[r]..rowStarts[r + 1]]`. */
export interface Packing {
  /** Document and first token within it, by piece. */
  documents: Uint32Array
  offsets: Uint32Array
  rowStarts: Uint32Array
  rowPieces: Uint32Array
}

/**
 * Best-fit-decreasing packing (Ding et al. 2024, "Fewer Truncations Improve Language Modeling"): documents longer than a
 * row are cut into whole rows and a rest, then the longest piece that is left goes into the row that it fills best. Of
 * equally long pieces the earlier in `order` comes first. Takes time in the number of pieces and nothing else.
 */
export function packBestFit(
  lengths: (document: number) => number,
  order: Uint32Array,
  sequenceLength: number,
): Packing {
  const { documents, offsets, sizes } = cut(lengths, order, sequenceLength)
  const byLength = longestFirst(sizes, sequenceLength)
  const room = new RowsByRoom(sequenceLength)
  const rowOf = new Uint32Array(documents.length)
  let rows = 0
  for (const piece of byLength) {
    const size = sizes[piece]
    const found = room.take(size)
    const row = found?.row ?? rows++
    rowOf[piece] = row
    const left = (found?.room ?? sequenceLength) - size
    if (left > 0) room.put(row, left)
  }
  return { documents, offsets, ...groupByRow(rowOf, byLength, rows) }
}

/** The pieces in the order of their documents: full rows first, then the rest of the document. */
function cut(lengths: (document: number) => number, order: Uint32Array, sequenceLength: number) {
  let count = 0
  for (const document of order) count += Math.ceil(lengths(document) / sequenceLength)
  const documents = new Uint32Array(count)
  const offsets = new Uint32Array(count)
  const sizes = new Uint32Array(count)
  let piece = 0
  for (const document of order) {
    const length = lengths(document)
    for (let offset = 0; offset < length; offset += sequenceLength) {
      documents[piece] = document
      offsets[piece] = offset
      sizes[piece++] = Math.min(sequenceLength, length - offset)
    }
  }
  return { documents, offsets, sizes }
}

/** A counting sort: stable, longest first. */
function longestFirst(sizes: Uint32Array, sequenceLength: number): Uint32Array {
  const starts = new Uint32Array(sequenceLength + 2)
  for (const size of sizes) starts[sequenceLength - size + 1]++
  for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1]
  const sorted = new Uint32Array(sizes.length)
  for (let piece = 0; piece < sizes.length; piece++) {
    sorted[starts[sequenceLength - sizes[piece]]++] = piece
  }
  return sorted
}

function groupByRow(rowOf: Uint32Array, byLength: Uint32Array, rows: number) {
  const rowStarts = new Uint32Array(rows + 1)
  for (const row of rowOf) rowStarts[row + 1]++
  for (let row = 0; row < rows; row++) rowStarts[row + 1] += rowStarts[row]
  const rowPieces = new Uint32Array(rowOf.length)
  const next = rowStarts.slice()
  for (const piece of byLength) rowPieces[next[rowOf[piece]]++] = piece
  return { rowStarts, rowPieces }
}

/** Rows by the room that is left in them. */
class RowsByRoom {
  readonly #rows: number[][]
  /** A bit for each room that some row has. */
  readonly #there: Uint32Array

  constructor(most: number) {
    this.#rows = Array.from({ length: most + 1 }, () => [])
    this.#there = new Uint32Array((most >>> 5) + 1)
  }

  put(row: number, room: number): void {
    this.#rows[room].push(row)
    this.#there[room >>> 5] |= 1 << (room & 31)
  }

  /** Takes out a row with the least room that is enough. */
  take(size: number): { row: number; room: number } | undefined {
    let word = size >>> 5
    let bits = this.#there[word] & (-1 << (size & 31))
    while (bits === 0) {
      if (++word >= this.#there.length) return undefined
      bits = this.#there[word]
    }
    const room = (word << 5) + 31 - Math.clz32(bits & -bits)
    const rows = this.#rows[room]
    const row = rows.pop()
    if (row === undefined) return undefined
    if (rows.length === 0) this.#there[word] &= ~(1 << (room & 31))
    return { row, room }
  }
}
