import type { GgufFormat } from '../../files/ggufFormats.ts'
import { loadAddon } from '../../native/addon.ts'

/** The float types that weights are stored in. */
export type FloatType = 'F32' | 'BF16' | 'F16'

interface FloatKernels {
  /** Little-endian bfloat16 to f32, exactly. */
  widenBf16(bytes: Uint8Array): Float32Array
  /** Little-endian IEEE half to f32, exactly. */
  widenF16(bytes: Uint8Array): Float32Array
  /** f32 to little-endian bfloat16, to the nearest even. */
  narrowToBf16(values: Float32Array): Uint8Array
  /** `count` elements from the bytes of a format of GGUF; whole blocks. */
  dequantize(format: string, bytes: Uint8Array, count: number): Float32Array
  /** f32 in a format of GGUF; whole blocks. */
  quantize(format: string, values: Float32Array): Uint8Array
  /** Independent normal numbers from a seed of four words: the same seed, the same numbers. */
  fillNormal(values: Float32Array, seed: Uint32Array, standardDeviation: number): void
}

const kernels = () => loadAddon<FloatKernels>()

/** Stored little-endian numbers as f32. */
export function widen(bytes: Uint8Array, from: FloatType): Float32Array {
  if (from === 'BF16') return kernels().widenBf16(bytes)
  if (from === 'F16') return kernels().widenF16(bytes)
  return new Float32Array(bytes.slice().buffer)
}

/** Stored numbers of any format of GGUF as f32. */
export function dequantize(format: GgufFormat, bytes: Uint8Array, count: number): Float32Array {
  if (format === 'F32' || format === 'BF16' || format === 'F16') return widen(bytes, format)
  return kernels().dequantize(format, bytes, count)
}

/** f32 numbers as the bytes of a format of GGUF. */
export function quantize(format: GgufFormat, values: Float32Array): Uint8Array {
  if (format === 'F32' || format === 'F16' || format === 'BF16') return narrow(values, format)
  return kernels().quantize(format, values)
}

/** f32 numbers as the bytes that are stored. */
export function narrow(values: Float32Array, to: FloatType): Uint8Array {
  if (to === 'F16') return kernels().quantize('F16', values)
  if (to === 'BF16') return kernels().narrowToBf16(values)
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** Normal(0, standardDeviation) numbers; `seed` is the state of a random stream. */
export function normal(size: number, standardDeviation: number, seed: readonly number[]): Float32Array {
  const values = new Float32Array(size)
  kernels().fillNormal(values, Uint32Array.from(seed), standardDeviation)
  return values
}
