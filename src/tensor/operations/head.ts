import { SmolforgeError } from '../../errors.ts'
import { accumulateAll, claimGradient, offerGradient } from '../autograd.ts'
import { Binary, NONE } from '../backend.ts'
import { backend } from '../engine.ts'
import { empty, needsGradient, record, shapeError, type Tensor, tensor } from '../tensor.ts'

/**
 * The vocabulary head with cross-entropy: for x[N, d], weight[V, d] and targets i32[N],
 * loss = sum of weights[i] * nll[i] (a scalar with gradient) and nll[N] = -log p(target) (without).
 * Rows with a negative target are ignored. Logits exist only for a chunk of rows at a time; the gradients are
 * computed in the same pass and scaled in backward.
 */
export function headLoss(
  x: Tensor,
  weight: Tensor,
  targets: Tensor,
  weights: Float32Array,
): { loss: Tensor; nll: Tensor } {
  const { rows, hidden, vocab } = checkedShape('headLoss', x, weight, targets)
  if (weights.length !== rows) {
    throw new SmolforgeError('usage', `headLoss: ${weights.length} weights for ${rows} rows`)
  }
  const scales = tensor(weights, [rows])
  const nll = empty([rows])
  const loss = empty([])
  const products = empty([rows])
  const dx = x.node && needsGradient(x) ? claimGradient(x.node) : undefined
  const dw = weight.node && needsGradient(weight) ? claimGradient(weight.node) : undefined
  const engine = backend()
  if (dx === undefined && dw === undefined) {
    engine.headLogProbs(x.handle, weight.handle, targets.handle, nll.handle, rows, hidden, vocab)
  } else {
    engine.headGradient(
      x.handle,
      weight.handle,
      targets.handle,
      scales.handle,
      nll.handle,
      dx?.handle ?? NONE,
      dw?.handle ?? NONE,
      rows,
      hidden,
      vocab,
      false,
      false,
    )
  }
  engine.binary(Binary.mul, nll.handle, scales.handle, products.handle, rows, rows, false)
  engine.sumAxis(products.handle, loss.handle, 1, rows, 1, 1, false)
  const recorded = record(loss, [x, weight], (dy) => {
    for (const [{ node, size }, gradient] of [[x, dx] as const, [weight, dw] as const]) {
      if (node === undefined || gradient === undefined) continue
      engine.scaleInPlace(gradient.handle, dy.handle, size)
      offerGradient(node, gradient)
    }
  })
  return { loss: recorded, nll }
}

/**
 * log p(targets[i]) under softmax(x[i] weightᵀ), shape [N]; 0 where the target is negative. The logits are computed
 * again in backward, a chunk of rows at a time.
 */
export function tokenLogProbs(x: Tensor, weight: Tensor, targets: Tensor): Tensor {
  const { rows, hidden, vocab } = checkedShape('tokenLogProbs', x, weight, targets)
  const engine = backend()
  const y = empty([rows])
  const forward = empty([rows])
  engine.headLogProbs(x.handle, weight.handle, targets.handle, forward.handle, rows, hidden, vocab)
  engine.scale(forward.handle, -1, y.handle, rows, false)
  return record(y, [x, weight], (dy) => {
    const scales = empty([rows])
    const nll = empty([rows])
    engine.scale(dy.handle, -1, scales.handle, rows, false)
    accumulateAll([x.node, weight.node] as const, (dx, dw) =>
      engine.headGradient(
        x.handle,
        weight.handle,
        targets.handle,
        scales.handle,
        nll.handle,
        dx.handle,
        dw.handle,
        rows,
        hidden,
        vocab,
        dx.add,
        dw.add,
      ),
    )
  })
}

function checkedShape(operation: string, x: Tensor, weight: Tensor, targets: Tensor) {
  const [rows, hidden] = x.shape
  const [vocab, weightHidden] = weight.shape
  if (x.shape.length !== 2 || weight.shape.length !== 2 || hidden !== weightHidden || vocab === 0) {
    throw shapeError(operation, 'x [N, hidden] and weight [vocab, hidden] are needed', x, weight)
  }
  if (targets.dtype !== 'i32' || targets.size !== rows) {
    throw shapeError(operation, 'targets must be i32 [N]', x, targets)
  }
  return { rows, hidden, vocab }
}
