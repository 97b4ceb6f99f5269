import { accumulate, passGradient } from '../autograd.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, sizeOf, Tensor } from '../tensor.ts'

/** a[.., m, k] times b[.., k, n]; the leading dimensions are equal, or b has none and serves all of them. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  const [k, n] = b.shape.slice(-2)
  const shared = b.shape.length === 2
  const sameBatch =
    a.shape.length === b.shape.length && a.shape.slice(0, -2).every((l, i) => l === b.shape[i])
  if (a.shape.length < 2 || b.shape.length < 2 || a.shape.at(-1) !== k || !(shared || sameBatch)) {
    throw shapeError('matmul', 'the inner dimensions must agree', a, b)
  }
  const batch = shared ? 1 : sizeOf(a.shape.slice(0, -2))
  const m = shared ? sizeOf(a.shape.slice(0, -1)) : a.shape[a.shape.length - 2]
  const c = empty([...a.shape.slice(0, -1), n])
  backend().matmul(a.handle, b.handle, c.handle, batch, m, n, k, false, false, false)
  return record(c, [a, b], (dc) => {
    accumulate(a.node, (da, add) =>
      backend().matmul(dc.handle, b.handle, da.handle, batch, m, k, n, false, true, add),
    )
    accumulate(b.node, (db, add) =>
      backend().matmul(a.handle, dc.handle, db.handle, batch, k, n, m, true, false, add),
    )
  })
}

/** The same values in another shape; the memory is shared. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  if (sizeOf(shape) !== x.size) throw shapeError('reshape', `the size must stay, not become [${shape}]`, x)
  return record(new Tensor([...shape], x.dtype, x.buffer), [x], (_dy, node) => passGradient(node, x.node))
}

/** [rows, columns] to [columns, rows], copied. */
export function transpose(x: Tensor): Tensor {
  if (x.shape.length !== 2) throw shapeError('transpose', 'a matrix is needed', x)
  const [rows, columns] = x.shape
  const y = empty([columns, rows])
  backend().transpose(x.handle, y.handle, rows, columns, false)
  return record(y, [x], (dy) => {
    accumulate(x.node, (dx, add) => backend().transpose(dy.handle, dx.handle, columns, rows, add))
  })
}
