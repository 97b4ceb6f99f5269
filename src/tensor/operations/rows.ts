import { SmolforgeError } from '../../errors.ts'
import { accumulate } from '../autograd.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, sizeOf, type Tensor, tensor } from '../tensor.ts'

/** The rows from .. to - 1 of the first dimension. */
export function slice(x: Tensor, from: number, to: number): Tensor {
  const rows = x.shape[0] ?? 0
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to < from || to > rows) {
    throw shapeError('slice', `rows ${from} to ${to} do not exist`, x)
  }
  const width = x.size / Math.max(rows, 1)
  const y = empty([to - from, ...x.shape.slice(1)], x.dtype)
  backend().copy(x.handle, from * width, y.handle, 0, y.size, false)
  return record(y, [x], (dy) => {
    accumulate(x.node, (dx, add) => {
      if (!add) backend().fill(dx.handle, x.size, 0)
      backend().copy(dy.handle, 0, dx.handle, from * width, y.size, true)
    })
  })
}

/** The tensors one after the other along the first dimension; the others are equal. */
export function concat(parts: readonly Tensor[]): Tensor {
  const [first] = parts
  const tail = first?.shape.slice(1) ?? []
  for (const part of parts) {
    const fits =
      part.shape.length === tail.length + 1 && tail.every((length, i) => length === part.shape[i + 1])
    if (!fits || part.dtype !== first.dtype) {
      throw shapeError('concat', 'all but the first dimension must agree', first, part)
    }
  }
  const rows = parts.reduce((total, part) => total + part.shape[0], 0)
  const y = empty([rows, ...tail], first?.dtype)
  let at = 0
  const starts = parts.map((part) => {
    backend().copy(part.handle, 0, y.handle, at, part.size, false)
    at += part.size
    return at - part.size
  })
  return record(y, parts, (dy) => {
    for (const [i, part] of parts.entries()) {
      accumulate(part.node, (dx, add) => backend().copy(dy.handle, starts[i], dx.handle, 0, part.size, add))
    }
  })
}

/** Row ids[i] of x for every i; the gradient sums where an id comes more than once. */
export function gatherRows(x: Tensor, ids: Tensor | Int32Array): Tensor {
  if (x.dtype !== 'f32' || x.shape.length < 1) throw shapeError('gatherRows', 'rows of f32 are needed', x)
  return gather('gatherRows', x, ids)
}

/** weight[ids]: ids i32[..] give [.., hidden]. */
export function embedding(weight: Tensor, ids: Tensor): Tensor {
  if (weight.shape.length !== 2) throw shapeError('embedding', 'weight [vocab, hidden] is needed', weight)
  return gather('embedding', weight, ids)
}

function gather(operation: string, table: Tensor, ids: Tensor | Int32Array): Tensor {
  const list = ids instanceof Int32Array ? tensor(ids, [ids.length]) : ids
  if (list.dtype !== 'i32') throw shapeError(operation, 'ids must be i32', table, list)
  const [tableRows, ...tail] = table.shape
  const columns = sizeOf(tail)
  const y = empty([...list.shape, ...tail])
  try {
    backend().gatherRows(table.handle, list.handle, y.handle, list.size, columns, tableRows)
  } catch (cause) {
    throw new SmolforgeError('usage', `${operation}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
  return record(y, [table], (dy) => {
    accumulate(table.node, (dx, add) =>
      backend().scatterRows(dy.handle, list.handle, dx.handle, list.size, columns, tableRows, add),
    )
  })
}

/** x takes the values of y, which has at most as many, in place; nothing is to do where y is x. For inference. */
export function overwrite(x: Tensor, y: Tensor): void {
  if (y === x) return
  if (y.size > x.size || y.dtype !== x.dtype) {
    throw shapeError('overwrite', 'as many values of the same type are needed at most', x, y)
  }
  backend().copy(y.handle, 0, x.handle, 0, y.size, false)
}
