import { accumulateAll } from '../autograd.ts'
import { backend } from '../engine.ts'
import { empty, record, shapeError, type Tensor } from '../tensor.ts'

/** silu(gate) * up, both f32 or both bf16: the activation of the feed-forward block (Shazeer 2020). */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const same =
    gate.shape.length === up.shape.length && gate.shape.every((length, i) => length === up.shape[i])
  if (!same) throw shapeError('swiglu', 'gate and up must have one shape', gate, up)
  const y = empty(gate.shape, gate.dtype)
  backend().swiglu(gate.handle, up.handle, y.handle, y.size)
  return record(y, [gate, up], (dy) => {
    accumulateAll([gate.node, up.node] as const, (dgate, dup) =>
      backend().swigluGradient(
        gate.handle,
        up.handle,
        dy.handle,
        dgate.handle,
        dup.handle,
        y.size,
        dgate.add,
        dup.add,
      ),
    )
  })
}
