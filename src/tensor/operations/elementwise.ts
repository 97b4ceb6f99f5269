import { accumulate, passGradient } from '../autograd.ts'
import { Binary, Unary } from '../backend.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, type Tensor } from '../tensor.ts'

/** a + b; b has the shape of a, or its last dimensions, or one element. So for sub and mul. */
export function add(a: Tensor, b: Tensor): Tensor {
  const period = periodOf('add', a, b)
  return record(binary(Binary.add, a, b, period), [a, b], (dy, node) => {
    sumOver(dy.handle, a.size, period, 1, b)
    passGradient(node, a.node)
    if (period === a.size) passGradient(node, b.node)
  })
}

export function sub(a: Tensor, b: Tensor): Tensor {
  const period = periodOf('sub', a, b)
  return record(binary(Binary.sub, a, b, period), [a, b], (dy, node) => {
    sumOver(dy.handle, a.size, period, -1, b)
    passGradient(node, a.node)
    if (period === a.size) {
      accumulate(b.node, (db, more) => backend().scale(dy.handle, -1, db.handle, b.size, more))
    }
  })
}

export function mul(a: Tensor, b: Tensor): Tensor {
  const period = periodOf('mul', a, b)
  return record(binary(Binary.mul, a, b, period), [a, b], (dy) => {
    accumulate(a.node, (da, more) =>
      backend().binary(Binary.mul, dy.handle, b.handle, da.handle, a.size, period, more),
    )
    if (b.node === undefined) return
    if (period === a.size) {
      accumulate(b.node, (db, more) =>
        backend().binary(Binary.mul, dy.handle, a.handle, db.handle, a.size, a.size, more),
      )
      return
    }
    const product = empty(a.shape)
    backend().binary(Binary.mul, dy.handle, a.handle, product.handle, a.size, a.size, false)
    sumOver(product.handle, a.size, period, 1, b)
  })
}

/** factor * x */
export function scale(x: Tensor, factor: number): Tensor {
  const y = empty(x.shape)
  backend().scale(x.handle, factor, y.handle, x.size, false)
  return record(y, [x], (dy) => {
    accumulate(x.node, (dx, more) => backend().scale(dy.handle, factor, dx.handle, x.size, more))
  })
}

export const neg = (x: Tensor): Tensor => unary('neg', x)
export const exp = (x: Tensor): Tensor => unary('exp', x)
export const log = (x: Tensor): Tensor => unary('log', x)
export const sqrt = (x: Tensor): Tensor => unary('sqrt', x)
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', x)
/** x * sigmoid(x) */
export const silu = (x: Tensor): Tensor => unary('silu', x)
/** x times the normal distribution up to x, exact (Hendrycks and Gimpel 2016). */
export const gelu = (x: Tensor): Tensor => unary('gelu', x)
/** log(sigmoid(x)), without overflow at either end. */
export const logSigmoid = (x: Tensor): Tensor => unary('logSigmoid', x)

function unary(name: keyof typeof Unary, x: Tensor): Tensor {
  if (x.dtype !== 'f32') throw shapeError(name, 'the input must be f32', x)
  const f = Unary[name]
  const y = empty(x.shape)
  backend().unary(f, x.handle, y.handle, x.size)
  return record(y, [x], (dy) => {
    accumulate(x.node, (dx, more) =>
      backend().unaryGradient(f, x.handle, y.handle, dy.handle, dx.handle, x.size, more),
    )
  })
}

function binary(op: number, a: Tensor, b: Tensor, period: number): Tensor {
  const y = empty(a.shape)
  backend().binary(op, a.handle, b.handle, y.handle, a.size, period, false)
  return y
}

/** The gradient of a repeated right side: the sum over its repetitions. */
function sumOver(gradient: number, size: number, period: number, factor: number, b: Tensor): void {
  if (period === size || b.node === undefined) return
  accumulate(b.node, (db, more) =>
    backend().sumAxis(gradient, db.handle, 1, size / period, period, factor, more),
  )
}

/** After how many elements the right side starts again. */
function periodOf(operation: string, a: Tensor, b: Tensor): number {
  if (a.dtype !== 'f32' || b.dtype !== 'f32') throw shapeError(operation, 'both sides must be f32', a, b)
  const fits =
    b.size === 1 ||
    (b.shape.length <= a.shape.length &&
      b.shape.every((length, i) => length === a.shape[a.shape.length - b.shape.length + i]))
  if (!fits) {
    throw shapeError(operation, 'the right side must have the shape of the left or its last dimensions', a, b)
  }
  return b.size
}
