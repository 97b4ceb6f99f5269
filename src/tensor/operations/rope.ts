import { accumulate, ownGradient, passGradient } from '../autograd.ts'
import type { Handle } from '../backend.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, Tensor } from '../tensor.ts'

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

export interface RopeInPlaceOptions extends RopeOptions {
  /** How many heads, from the first on, are turned; the other columns stay. */
  heads: number
}

/**
 * As `rope`, for the first heads of x[B, T, width] of f32 or bf16, and in x's own memory: x itself must not be used
 * afterwards.
 */
export function ropeInPlace(x: Tensor, { heads, headDim, theta, start = 0 }: RopeInPlaceOptions): Tensor {
  const [batch, time, width] = x.shape
  const whole = Number.isInteger(start) && start >= 0 && headDim >= 2 && headDim % 2 === 0
  if (x.shape.length !== 3 || !whole || heads * headDim > width) {
    throw shapeError('ropeInPlace', `x [batch, time, >= ${heads} * ${headDim}] is needed`, x)
  }
  const turn = (handle: Handle, inverse: boolean) =>
    backend().ropeInPlace(handle, batch, time, width, heads, headDim, theta, start, inverse)
  turn(x.handle, false)
  return record(new Tensor(x.shape, x.dtype, x.buffer), [x], (_dy, node) => {
    const gradient = ownGradient(node)
    if (gradient === undefined) return
    turn(gradient.handle, true)
    passGradient(node, x.node)
  })
}
