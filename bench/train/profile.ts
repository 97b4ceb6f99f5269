import type { LlamaConfig } from '../../src/model/index.ts'
import type { Shape } from './shapes.ts'
import type { Profile } from './side.ts'

/** Milliseconds by operation with their share of the step, then the rates of what multiplies matrices. */
export function profileTable({ wallMs, steps, operations }: Profile, shape: Shape, peak: number): string {
  const step = wallMs / steps
  const lines = ['ms a step   share  operation']
  const line = (ms: number, what: string) =>
    lines.push(`${ms.toFixed(3).padStart(9)} ${((100 * ms) / step).toFixed(1).padStart(6)}%  ${what}`)
  let inside = 0
  for (const { operation, calls, milliseconds } of operations) {
    inside += milliseconds / steps
    line(milliseconds / steps, `${operation} (${calls / steps} calls)`)
  }
  line(step - inside, 'outside of kernels')
  line(step, 'the step')
  lines.push('', 'matrix products by what they are for, whatever kernels share them')
  for (const { what, pattern, flops } of products(shape)) {
    const ms = operations
      .filter(({ operation }) => pattern.test(operation))
      .reduce((sum, { milliseconds }) => sum + milliseconds / steps, 0)
    if (ms === 0) continue
    const rate = flops / ms / 1e6
    line(
      ms,
      `${what}: ${rate.toFixed(0)} GFLOP/s, ${((100 * rate) / peak).toFixed(0)} % of the measured peak`,
    )
  }
  return `${lines.join('\n')}\n`
}

/** The FLOPs of one step, forward and backward, by the words that its kernels have in their names. */
function products({ model, batchSize, sequenceLength }: Shape) {
  const rows = batchSize * sequenceLength
  const { hiddenSize, numHiddenLayers, vocabSize } = model
  return [
    { what: 'layers', pattern: /matmul|linear/i, flops: 6 * rows * layerWeights(model) },
    { what: 'vocabulary head', pattern: /head/i, flops: 6 * rows * vocabSize * hiddenSize },
    // Half of the square of scores; the backward pass computes the scores again.
    {
      what: 'attention',
      pattern: /attention/i,
      flops: 7 * rows * numHiddenLayers * sequenceLength * hiddenSize,
    },
  ]
}

function layerWeights(config: LlamaConfig): number {
  const { hiddenSize, numAttentionHeads, numKeyValueHeads, intermediateSize, numHiddenLayers } = config
  const kv = (hiddenSize / numAttentionHeads) * numKeyValueHeads
  return numHiddenLayers * (2 * hiddenSize * (hiddenSize + kv) + 3 * hiddenSize * intermediateSize)
}
