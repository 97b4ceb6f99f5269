import { SmolforgeError } from '../errors.ts'
import { backend } from './engine.ts'
import { Buffer } from './scope.ts'
import { sizeOf, Tensor } from './tensor.ts'

/** Where a matrix of blocks is stored. */
export interface StoredBlocks {
  path: string
  /** A format of GGUF's: F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K or Q6_K. */
  format: string
  /** [out, in]; `in` is a multiple of 32 and of the format's block. */
  shape: readonly [number, number]
  /** Byte position in the file. */
  start: number
  /** Row i of the tensor is row rows[i] of the file; in the file's order when left out. */
  rows?: Uint32Array
}

/**
 * A weight that stays as it is stored, in its file, mapped read-only: for `linear`, `embedding` and `tokenLogProbs` in
 * inference. It has no gradient. It lives until `free()`.
 *
 * @throws SmolforgeError `input` for a file that is not there or too short, or a shape that the format does not hold.
 */
export function mapBlocks({ path, format, shape, start, rows }: StoredBlocks): Tensor {
  const [outputs, inputs] = shape
  const size = sizeOf(shape)
  try {
    const handle = backend().mapBlocks(path, start, format, outputs, inputs, rows)
    return new Tensor([...shape], 'blocks', new Buffer(size, 'blocks', 'persistent', handle))
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause)
    throw new SmolforgeError('input', `The weight cannot be mapped: ${what}`, {
      place: { file: path },
      cause,
    })
  }
}
