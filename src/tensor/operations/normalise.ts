import { SmolforgeError } from '../../errors.ts'
import { accumulateAll } from '../autograd.ts'
import type { DType } from '../backend.ts'
import { backend } from '../engine.ts'
import { recording } from '../scope.ts'
import { empty, needsGradient, record, shapeError, type Tensor } from '../tensor.ts'

/**
 * x / sqrt(mean(x²) + eps) * weight over the last axis (Zhang and Sennrich 2019), stored as `dtype`; its gradient is
 * f32 only where that is.
 */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number, dtype: DType = 'f32'): Tensor {
  const columns = x.shape.at(-1) ?? 0
  if (columns === 0 || weight.shape.length !== 1 || weight.size !== columns) {
    throw shapeError('rmsNorm', 'x [.., hidden] and weight [hidden] are needed', x, weight)
  }
  const rows = x.size / columns
  const y = empty(x.shape, dtype)
  const inverse = empty([rows])
  backend().rmsNorm(x.handle, weight.handle, y.handle, inverse.handle, rows, columns, eps)
  return record(y, [x, weight], (dy) => {
    accumulateAll([x.node, weight.node] as const, (dx, dw) =>
      backend().rmsNormGradient(
        x.handle,
        weight.handle,
        inverse.handle,
        dy.handle,
        dx.handle,
        dw.handle,
        rows,
        columns,
        dx.add,
        dw.add,
      ),
    )
  })
}

/**
 * (x - mean) / sqrt(variance + eps) * weight + bias over the last axis (Ba et al. 2016). For inference: it has no
 * gradient.
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const columns = x.shape.at(-1) ?? 0
  const fits = [weight, bias].every((each) => each.shape.length === 1 && each.size === columns)
  if (columns === 0 || !fits) {
    throw shapeError('layerNorm', 'x [.., hidden], weight and bias [hidden] are needed', x, weight, bias)
  }
  if (recording() && needsGradient(x, weight, bias)) {
    throw new SmolforgeError('usage', 'layerNorm has no gradient', { hint: 'Call it inside inference().' })
  }
  const y = empty(x.shape)
  backend().layerNorm(x.handle, weight.handle, bias.handle, y.handle, x.size / columns, columns, eps)
  return y
}
