import { accumulateAll } from '../autograd.ts'
import type { DType } from '../backend.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, type Tensor } from '../tensor.ts'

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
