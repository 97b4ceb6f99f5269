import { SmolforgeError } from '../../errors.ts'
import { accumulateAll } from '../autograd.ts'
import { NONE } from '../backend.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, type Tensor } from '../tensor.ts'

export interface AttentionOptions {
  heads: number
  kvHeads: number
  /** i32[B, T] with T = S: a query sees only keys of its own segment (document). */
  segments?: Tensor
  /** How many keys count, when k and v are a cache with room left; all of them when left out. */
  keyLength?: number
}

/**
 * Causal attention of q[B, T, heads * D] over k and v[B, S, kvHeads * D], scaled by 1 / sqrt(D); query heads share
 * key-value heads in groups (Ainslie et al. 2023). Query i sees keys 0 .. keyLength - T + i. The matrix of
 * probabilities never exists whole (Dao et al. 2022).
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  const shape = checkedShape(q, k, v, options)
  const y = empty(q.shape)
  const logSumExp = empty([shape.batch, shape.heads, shape.time])
  backend().attention(q.handle, k.handle, v.handle, y.handle, logSumExp.handle, shape)
  return record(y, [q, k, v], (dy) => {
    accumulateAll([q.node, k.node, v.node] as const, (dq, dk, dv) =>
      backend().attentionGradient(
        q.handle,
        k.handle,
        v.handle,
        y.handle,
        logSumExp.handle,
        dy.handle,
        // The kernel writes all three: those that nobody wants are thrown away with the step.
        dq.handle === NONE ? empty(q.shape).handle : dq.handle,
        dk.handle === NONE ? empty(k.shape).handle : dk.handle,
        dv.handle === NONE ? empty(v.shape).handle : dv.handle,
        shape,
        dq.add,
        dk.add,
        dv.add,
      ),
    )
  })
}

function checkedShape(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions) {
  const { heads, kvHeads, segments } = options
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
  if (segments !== undefined) {
    const same = segments.dtype === 'i32' && segments.size === batch * time && keyLength === time
    if (!same) throw shapeError('attention', 'segments must be i32 [B, T] with as many keys', q, segments)
  }
  if (headDim > 256) throw new SmolforgeError('usage', `attention: headDim ${headDim} is more than 256`)
  return { batch, time, capacity, heads, kvHeads, headDim, keyLength, segments: segments?.handle ?? NONE }
}
