import { accumulate } from '../autograd.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, type Tensor } from '../tensor.ts'

/** exp(x) / sum(exp(x)) over the last axis. */
export function softmax(x: Tensor): Tensor {
  return normalise('softmax', x, false)
}

/** x - log(sum(exp(x))) over the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  return normalise('logSoftmax', x, true)
}

function normalise(operation: string, x: Tensor, log: boolean): Tensor {
  const columns = x.shape.at(-1) ?? 0
  if (columns === 0 || x.dtype !== 'f32') throw shapeError(operation, 'a last axis of f32 is needed', x)
  const rows = x.size / columns
  const y = empty(x.shape)
  backend().softmax(x.handle, y.handle, rows, columns, log)
  return record(y, [x], (dy) => {
    accumulate(x.node, (dx, add) =>
      backend().softmaxGradient(y.handle, dy.handle, dx.handle, rows, columns, log, add),
    )
  })
}
