/** The native functions of this room: both work off the main thread. */
export interface BaselineKernels {
  /** -log2 p of each held-out token; documents lie end to end, each with its length. */
  kneserNey(
    training: Uint16Array,
    trainingLengths: Uint32Array,
    heldOut: Uint16Array,
    heldOutLengths: Uint32Array,
    order: number,
    vocabSize: number,
    endOfText: number,
  ): Promise<Float64Array>
  /** Bytes that zstd needs for `text` when `prefix` is already known. */
  zstdSizeWithPrefix(prefix: Uint8Array, text: Uint8Array, level: number, windowLog: number): Promise<number>
}
