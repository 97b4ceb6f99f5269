import { prepareGradient } from '../autograd.ts'
import { NONE } from '../backend.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, type Tensor } from '../tensor.ts'

/** silu(gate) * up, the activation of the feed-forward block (Shazeer 2020). */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const same =
    gate.shape.length === up.shape.length && gate.shape.every((length, i) => length === up.shape[i])
  if (!same) throw shapeError('swiglu', 'gate and up must have one shape', gate, up)
  const y = empty(gate.shape)
  backend().swiglu(gate.handle, up.handle, y.handle, y.size)
  return record(y, [gate, up], (dy) => {
    const dgate = gate.node && prepareGradient(gate.node)
    const dup = up.node && prepareGradient(up.node)
    backend().swigluGradient(
      gate.handle,
      up.handle,
      dy.handle,
      dgate?.buffer.handle ?? NONE,
      dup?.buffer.handle ?? NONE,
      y.size,
      dgate?.add ?? false,
      dup?.add ?? false,
    )
  })
}
