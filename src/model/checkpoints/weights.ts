import type { GgufFormat } from '../../files/ggufFormats.ts'

/** Where a tensor is stored, and how; enough to read or map it. */
export interface TensorPlace {
  path: string
  format: GgufFormat
  /** Matrices are [out, in]. */
  shape: readonly number[]
  /** Byte positions in the file. */
  start: number
  end: number
  /**
   * Rows of one head where llama.cpp's order holds: within each head, stored row 2i + s is row s * headRows / 2 + i of
   * Hugging Face's order (s 0 or 1). Left out where the rows lie as they should.
   */
  headRows?: number
}

/** The stored tensors of a model, by Hugging Face's names, from one file or several. */
export interface Weights {
  readonly names: readonly string[]
  /** SmolforgeError `input` for a name that is not there, or a type that is no format of weights. */
  entry(name: string): TensorPlace
  /** The tensor's numbers as f32, rows in Hugging Face's order. */
  read(name: string): Promise<Float32Array>
  /** The type's name and the bytes as they are stored. */
  readBytes(name: string): Promise<{ dtype: string; shape: readonly number[]; bytes: Uint8Array }>
  close(): Promise<void>
}
