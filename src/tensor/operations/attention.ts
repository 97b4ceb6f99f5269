import { SmolforgeError } from '../../errors.ts'
import { accumulate, accumulateAll } from '../autograd.ts'
import { type AttentionShape, NONE } from '../backend.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, type Tensor } from '../tensor.ts'

export interface AttentionOptions {
  heads: number
  kvHeads: number
  /** i32[B, T] with T = S: a query sees only keys of its own segment (document). */
  segments?: Tensor
  /** False lets every query see every key (of its segment); true when left out. */
  causal?: boolean
  /** How many keys count, when k and v are a cache with room left; all of them when left out. */
  keyLength?: number
}

/**
 * Attention of q[B, T, heads * D] over k and v[B, S, kvHeads * D], scaled by 1 / sqrt(D); query heads share
 * key-value heads in groups (Ainslie et al. 2023). Query i sees keys 0 .. keyLength - T + i, or all of them where it is
 * not causal. The matrix of probabilities never exists whole (Dao et al. 2022). Each is f32 or bf16; the output is
 * stored as q.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  const shape = checkedShape(q, k, v, options)
  const { y, logSumExp } = forward(q, k, v, shape)
  return record(y, [q, k, v], (dy) => {
    accumulateAll([q.node, k.node, v.node] as const, (dq, dk, dv) => {
      // The kernel writes all three: those that nobody wants are thrown away with the step.
      const [toQ, toK, toV] = [dq, dk, dv].map(({ handle }, i) => {
        const { shape, dtype } = [q, k, v][i]
        return handle === NONE ? empty(shape, dtype).handle : handle
      })
      const saved = [q, k, v, y, logSumExp, dy].map(({ handle }) => handle) as Six
      backend().attentionGradient(...saved, toQ, toK, toV, shape, dq.add, dk.add, dv.add)
    })
  })
}

/**
 * As `attention` of queries, keys and values that lie side by side in the rows of one matrix,
 * qkv[B, T, (heads + 2 * kvHeads) * D], as `normLinears` makes them.
 */
export function selfAttention(qkv: Tensor, options: Omit<AttentionOptions, 'keyLength'>): Tensor {
  const shape = jointShape('selfAttention', qkv, options)
  const { y, logSumExp } = forward(qkv, qkv, qkv, shape)
  return record(y, [qkv], (dy) => {
    accumulate(qkv.node, (into, add) => {
      const saved = [qkv, qkv, qkv, y, logSumExp, dy].map(({ handle }) => handle) as Six
      const { handle } = into
      backend().attentionGradient(...saved, handle, handle, handle, shape, add, add, add)
    })
  })
}

type Six = [number, number, number, number, number, number]

function forward(q: Tensor, k: Tensor, v: Tensor, shape: AttentionShape) {
  const { batch, time, heads, headDim } = shape
  const y = empty([batch, time, heads * headDim], q.dtype)
  const logSumExp = empty([batch, heads, time])
  backend().attention(q.handle, k.handle, v.handle, y.handle, logSumExp.handle, shape)
  return { y, logSumExp }
}

/** Queries, keys and values as columns of one matrix, each position seeing those before it. */
function jointShape(
  operation: string,
  qkv: Tensor,
  { heads, kvHeads, segments, causal = true }: AttentionOptions,
): AttentionShape {
  const [batch, time, width] = qkv.shape
  const headDim = width / (heads + 2 * kvHeads)
  if (qkv.shape.length !== 3 || !Number.isInteger(headDim) || heads % kvHeads !== 0) {
    throw shapeError(operation, `qkv [B, T, (${heads} + 2 * ${kvHeads}) * D] is needed`, qkv)
  }
  checkLimits(operation, qkv, headDim, segments, batch * time)
  return {
    batch,
    time,
    capacity: time,
    heads,
    kvHeads,
    headDim,
    keyLength: time,
    causal,
    segments: segments?.handle ?? NONE,
    queryWidth: width,
    queryOffset: 0,
    keyWidth: width,
    keyOffset: heads * headDim,
    valueWidth: width,
    valueOffset: (heads + kvHeads) * headDim,
  }
}

function checkLimits(
  operation: string,
  q: Tensor,
  headDim: number,
  segments: Tensor | undefined,
  positions: number,
): void {
  if (segments !== undefined && (segments.dtype !== 'i32' || segments.size !== positions)) {
    throw shapeError(operation, 'segments must be i32 [B, T] with as many keys', q, segments)
  }
  if (headDim > 256) {
    throw new SmolforgeError('usage', `${operation}: headDim ${headDim} is more than 256`)
  }
}

function checkedShape(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): AttentionShape {
  const { heads, kvHeads, segments, causal = true } = options
  const [batch, time, width] = q.shape
  const [keyBatch, capacity, keyWidth] = k.shape
  const headDim = width / heads
  const fits =
    q.shape.length === 3 &&
    k.shape.length === 3 &&
    v.shape.length === 3 &&
    k.shape.every((length, i) => length === v.shape[i]) &&
    keyBatch === batch &&
    Number.isInteger(headDim) &&
    heads % kvHeads === 0 &&
    keyWidth === kvHeads * headDim
  if (!fits) {
    const wanted = `q [B, T, ${heads} * D] and k, v [B, S, ${kvHeads} * D] are needed`
    throw shapeError('attention', wanted, q, k, v)
  }
  const keyLength = options.keyLength ?? capacity
  if (!Number.isInteger(keyLength) || keyLength < time || keyLength > capacity) {
    throw shapeError('attention', `keyLength ${keyLength} must be from T to S`, q, k)
  }
  checkLimits('attention', q, headDim, segments, keyLength === time ? batch * time : -1)
  const alone = { queryWidth: 0, queryOffset: 0, keyWidth: 0, keyOffset: 0, valueWidth: 0, valueOffset: 0 }
  const handle = segments?.handle ?? NONE
  return { batch, time, capacity, heads, kvHeads, headDim, keyLength, causal, segments: handle, ...alone }
}
