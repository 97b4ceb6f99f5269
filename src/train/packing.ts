import type { LossBatch } from '../model/index.ts'
import type { MaskedText } from './conversation.ts'

/** Texts that share a row, by index. */
export type PackedRow = number[]

/** Rows that are open at a time; more would fill them better and mix the order less. */
const OPEN_ROWS = 32

/**
 * Lays texts, in the order given, into rows of at most `capacity` tokens: each goes to the fullest open row that it
 * fits into.
 */
export function packRows(
  lengths: readonly number[],
  order: readonly number[],
  capacity: number,
): PackedRow[] {
  const done: PackedRow[] = []
  let open: { row: PackedRow; used: number }[] = []
  for (const index of order) {
    const length = lengths[index]
    let best: (typeof open)[number] | undefined
    for (const each of open) {
      if (each.used + length <= capacity && each.used >= (best?.used ?? 0)) best = each
    }
    if (best) {
      best.row.push(index)
      best.used += length
      continue
    }
    if (open.length >= OPEN_ROWS) {
      const fullest = open.reduce((a, b) => (b.used > a.used ? b : a))
      done.push(fullest.row)
      open = open.filter((each) => each !== fullest)
    }
    open.push({ row: [index], used: length })
  }
  return [...done, ...open.map(({ row }) => row)]
}

/**
 * The batch of some packed rows, as long as the longest of them: one segment a text, so that none sees another;
 * targets are the learned tokens.
 */
export function batchOfRows(texts: readonly MaskedText[], rows: readonly PackedRow[]): LossBatch {
  const used = rows.map((row) => row.reduce((sum, index) => sum + texts[index].ids.length, 0))
  const sequenceLength = Math.max(...used)
  const size = rows.length * sequenceLength
  const tokens = new Int32Array(size)
  const targets = new Int32Array(size).fill(-1)
  // Padding is a segment of its own: number -1.
  const segments = new Int32Array(size).fill(-1)
  for (const [r, row] of rows.entries()) {
    let at = r * sequenceLength
    for (const [segment, index] of row.entries()) {
      const { ids, learned } = texts[index]
      tokens.set(ids, at)
      segments.fill(segment, at, at + ids.length)
      for (let i = 1; i < ids.length; i++) if (learned[i] === 1) targets[at + i - 1] = ids[i]
      at += ids.length
    }
  }
  return { batchSize: rows.length, sequenceLength, tokens, targets, segments }
}
