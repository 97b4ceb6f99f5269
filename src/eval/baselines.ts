/** A line of `baselines.json`: what non-neural models reach on the same held-out bytes of a domain. */
export interface BaselineScores {
  domain: string
  /** Held-out UTF-8 bytes. */
  bytes: number
  zstd: { bitsPerByte: number; prefixBytes: number; windowLog: number }
  xz?: { bitsPerByte: number; prefixBytes: number }
  kneserNey: { bitsPerByte: number; order: number; trainingTokens: number }
}
