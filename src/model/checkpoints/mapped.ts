import { mapBlocks, type Tensor, tensor } from '../../tensor/index.ts'
import type { LlamaConfig } from '../config.ts'
import { parameterShapes } from '../parameters.ts'
import { openCheckpoint } from './checkpoint.ts'
import type { TensorPlace } from './weights.ts'

/**
 * The parameters of a model of any form, for inference: matrices that are not f32 stay in their file as they are stored,
 * the rest is read. Errors as of `openCheckpoint`.
 */
export async function openParameters(
  path: string,
): Promise<{ config: LlamaConfig; parameters: Map<string, Tensor> }> {
  const checkpoint = await openCheckpoint(path)
  const parameters = new Map<string, Tensor>()
  try {
    for (const [name, shape] of parameterShapes(checkpoint.config)) {
      const place = checkpoint.entry(name)
      parameters.set(name, mapped(place) ?? tensor(await checkpoint.read(name), shape))
    }
    return { config: checkpoint.config, parameters }
  } catch (error) {
    for (const each of parameters.values()) each.free()
    throw error
  } finally {
    await checkpoint.close()
  }
}

/** A matrix as it lies in its file; undefined where it has to be read: norms, f32, odd widths. */
function mapped({ path, format, shape, start, headRows }: TensorPlace): Tensor | undefined {
  const [outputs, inputs] = shape
  if (shape.length !== 2 || format === 'F32' || inputs % 32 !== 0) return undefined
  const rows = headRows === undefined ? undefined : huggingFaceOrder(outputs, headRows)
  return mapBlocks({ path, format, shape: [outputs, inputs], start, rows })
}

/** For each row in Hugging Face's order of a head (first all first halves of the pairs) where llama.cpp stores it. */
function huggingFaceOrder(rows: number, headRows: number): Uint32Array {
  const half = headRows / 2
  return Uint32Array.from({ length: rows }, (_, row) => {
    const within = row % headRows
    return row - within + 2 * (within % half) + Math.floor(within / half)
  })
}
