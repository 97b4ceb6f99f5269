import { SmolforgeError } from '../../errors.ts'
import { NONE } from '../backend.ts'
import { backend } from '../engine.ts'
import { empty, needsGradient, shapeError, type Tensor } from '../tensor.ts'

/** Rows of a matrix that belong together, and the positions that come before them. */
export interface Sequence {
  /** Rows, which follow those of the sequence before. */
  length: number
  /** Positions before its first row; 0 when left out. */
  before?: number
  /** The row of the same matrix where those begin: of another sequence, with which several begin. */
  beforeRow?: number
  /**
   * In place of rows, keys and values of those positions, each [room, kvHeads * D] and stored as the matrix; those of the
   * sequence are written behind them. No two sequences have the same.
   */
  cache?: { keys: Tensor; values: Tensor }
}

export interface AttendOptions {
  heads: number
  kvHeads: number
  /** Of the rotary positions. */
  theta: number
}

/**
 * Causal attention of sequences that lie one after the other in the rows of qkv[.., (heads + 2 * kvHeads) * D], without
 * padding: what each position takes of those before it, [.., heads * D]. Queries and keys get their rotary positions on
 * the way, where they lie, so qkv serves once. For inference: it has no gradient.
 *
 * @throws SmolforgeError `usage` for shapes that do not fit, or where a gradient would be recorded.
 */
export function attendSequences(
  qkv: Tensor,
  sequences: readonly Sequence[],
  { heads, kvHeads, theta }: AttendOptions,
): Tensor {
  const width = qkv.shape.at(-1) ?? 0
  const headDim = width / (heads + 2 * kvHeads)
  const rows = sequences.reduce((sum, { length }) => sum + length, 0)
  if (!Number.isInteger(headDim) || headDim % 2 !== 0 || headDim > 256 || rows * width !== qkv.size) {
    const needed = `qkv [${rows}, (${heads} + 2 * ${kvHeads}) * D] with an even D up to 256 is needed`
    throw shapeError('attendSequences', needed, qkv)
  }
  if (needsGradient(qkv)) {
    throw new SmolforgeError('usage', 'attendSequences has no gradient', {
      hint: 'Call it inside inference().',
    })
  }
  const records = sequences.flatMap(({ length, before = 0, beforeRow = NONE, cache }) => [
    length,
    before,
    beforeRow,
    cache?.keys.handle ?? NONE,
    cache?.values.handle ?? NONE,
  ])
  const y = empty([...qkv.shape.slice(0, -1), heads * headDim], qkv.dtype)
  backend().attendSequences(qkv.handle, y.handle, Int32Array.from(records), heads, kvHeads, headDim, theta)
  return y
}
