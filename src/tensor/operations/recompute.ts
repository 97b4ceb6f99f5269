import { GraphNode, prepareGradient, runBackward } from '../autograd.ts'
import { backend } from '../engine.ts'
import { Buffer, inference, recording, step } from '../scope.ts'
import { empty, needsGradient, record, Tensor } from '../tensor.ts'

/**
 * body(x), shaped and stored as x, of which backward keeps nothing but x: it runs the body again (Chen et al. 2016).
 * One more forward pass of the body for the memory of its activations; the bits of the gradients are the same.
 * `parameters` are those that the body has a gradient for. It must not read what changes between the two runs.
 */
export function recompute(x: Tensor, parameters: readonly Tensor[], body: (x: Tensor) => Tensor): Tensor {
  const y = empty(x.shape, x.dtype)
  inference(() => {
    const made = body(x)
    backend().copy(made.handle, 0, y.handle, 0, y.size, false)
  })
  if (!recording() || !needsGradient(x, ...parameters)) return y
  return record(y, [x, ...parameters], (dy) => {
    // The input of the second run is a leaf whose gradient is written where that of x belongs.
    const place = x.node && prepareGradient(x.node)
    const leaf = new GraphNode(x.size, x.dtype, [])
    const own = place && !place.add ? place.buffer : new Buffer(x.size, x.dtype, 'step')
    leaf.spare = own
    step(() => {
      const again = body(new Tensor(x.shape, x.dtype, x.buffer, leaf))
      if (again.node) runBackward(again.node, dy)
    })
    if (leaf.gradient === undefined) backend().fill(own.handle, x.size, 0)
    if (place?.add) backend().copy(own.handle, 0, place.buffer.handle, 0, x.size, true)
    if (place?.buffer !== own) own.free()
  })
}
