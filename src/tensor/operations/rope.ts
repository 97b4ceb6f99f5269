import { accumulate } from '../autograd.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, type Tensor } from '../tensor.ts'

export interface RopeOptions {
  headDim: number
  theta: number
  /** Position of the first row in time; 0 when left out. */
  start?: number
}

/**
 * Rotary positions on x[B, T, heads * headDim] (Su et al. 2021), in the half-split form of Hugging Face's Llama:
 * element i of a head turns with element i + headDim / 2.
 */
export function rope(x: Tensor, { headDim, theta, start = 0 }: RopeOptions): Tensor {
  const [batch, time, width] = x.shape
  const whole = Number.isInteger(start) && start >= 0 && headDim >= 2 && headDim % 2 === 0
  if (x.shape.length !== 3 || !whole || width % headDim !== 0) {
    throw shapeError('rope', `x [batch, time, heads * ${headDim}] and an even headDim are needed`, x)
  }
  const heads = width / headDim
  const y = empty(x.shape)
  backend().rope(x.handle, y.handle, batch, time, heads, headDim, theta, start, false, false)
  return record(y, [x], (dy) => {
    accumulate(x.node, (dx, add) =>
      backend().rope(dy.handle, dx.handle, batch, time, heads, headDim, theta, start, true, add),
    )
  })
}
