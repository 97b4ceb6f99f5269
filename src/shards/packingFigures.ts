import { Random } from '../random/random.ts'
import { packBestFit } from './bestFit.ts'
import type { ShardSet } from './set.ts'

/** What one epoch of a set looks like in rows. */
export interface PackingFigures {
  rows: number
  /** Of the places in the rows, those without a token. */
  paddingShare: number
  /** Documents that are cut. */
  cutDocuments: number
}

/** One epoch by both packings; documents end to end, and by best fit. */
export function packingFigures(
  set: ShardSet,
  sequenceLength: number,
  seed: number,
): { concatenate: PackingFigures; bestFit: PackingFigures } {
  const order = Uint32Array.from({ length: set.documents }, (_, i) => i)
  new Random(seed).shuffle(order)
  let [at, cut, long] = [0, 0, 0]
  for (const document of order) {
    const end = at + set.lengthOf(document)
    // The end token itself may stand at the begin of the next row: nothing is cut off by that.
    if (Math.floor(at / sequenceLength) !== Math.floor((end - 1) / sequenceLength)) cut++
    if (end - at > sequenceLength) long++
    at = end
  }
  const figures = (rows: number, cutDocuments: number): PackingFigures => ({
    rows,
    paddingShare: rows === 0 ? 0 : 1 - set.tokens / (rows * sequenceLength),
    cutDocuments,
  })
  const packing = packBestFit((document) => set.lengthOf(document), order, sequenceLength)
  return {
    concatenate: figures(Math.ceil(set.tokens / sequenceLength), cut),
    bestFit: figures(packing.rowStarts.length - 1, long),
  }
}
