import { SmolforgeError } from '../../errors.ts'
import { accumulate } from '../autograd.ts'
import { backend } from '../engine.ts'
import { empty, record, show, type Tensor } from '../tensor.ts'

/** The sum of all elements as one element of shape [], or along one axis (negative counts from the end). */
export function sum(x: Tensor, axis?: number): Tensor {
  return reduce('sum', x, axis, false)
}

/** The mean of all elements, or along one axis. */
export function mean(x: Tensor, axis?: number): Tensor {
  return reduce('mean', x, axis, true)
}

function reduce(operation: string, x: Tensor, axis: number | undefined, average: boolean): Tensor {
  const { outer, length, inner, shape } = axis === undefined ? wholeOf(x) : alongAxis(operation, x, axis)
  const factor = average ? 1 / length : 1
  const y = empty(shape)
  backend().sumAxis(x.handle, y.handle, outer, length, inner, factor, false)
  return record(y, [x], (dy) => {
    accumulate(x.node, (dx, add) =>
      backend().spreadAxis(dy.handle, dx.handle, outer, length, inner, factor, add),
    )
  })
}

interface Axis {
  outer: number
  length: number
  inner: number
  shape: number[]
}

function wholeOf(x: Tensor): Axis {
  return { outer: 1, length: x.size, inner: 1, shape: [] }
}

function alongAxis(operation: string, x: Tensor, axis: number): Axis {
  const at = axis < 0 ? axis + x.shape.length : axis
  if (!Number.isInteger(at) || at < 0 || at >= x.shape.length) {
    throw new SmolforgeError('usage', `${operation}: shape ${show(x.shape)} has no axis ${axis}`)
  }
  const product = (lengths: readonly number[]) => lengths.reduce((total, length) => total * length, 1)
  return {
    outer: product(x.shape.slice(0, at)),
    length: x.shape[at],
    inner: product(x.shape.slice(at + 1)),
    shape: [...x.shape.slice(0, at), ...x.shape.slice(at + 1)],
  }
}
