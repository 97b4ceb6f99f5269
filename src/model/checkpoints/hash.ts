import { createHash } from 'node:crypto'
import type { Tensor } from '../../tensor/index.ts'
import { openWeights } from './checkpoint.ts'

/**
 * SHA-256 over the tensors of a model folder or GGUF file, or of a model in memory (as f32), by sorted name: name, type, shape
 * and bytes of each. Equal weights of equal type have equal hashes, whatever else is in the folder.
 */
export async function modelHash(
  model: string | { readonly parameters: ReadonlyMap<string, Tensor> },
): Promise<string> {
  const hash = createHash('sha256')
  const put = (name: string, dtype: string, shape: readonly number[], bytes: Uint8Array) =>
    hash.update(`${JSON.stringify([name, dtype, shape])}\n`).update(bytes)
  if (typeof model !== 'string') {
    for (const [name, tensor] of [...model.parameters].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const values = tensor.read()
      put(name, 'F32', tensor.shape, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    }
    return hash.digest('hex')
  }
  const weights = await openWeights(model)
  try {
    for (const name of [...weights.names].sort()) {
      const { dtype, shape, bytes } = await weights.readBytes(name)
      put(name, dtype, shape, bytes)
    }
  } finally {
    await weights.close()
  }
  return hash.digest('hex')
}
