import { loadAddon } from '../native/addon.ts'

interface ShardKernels {
  /** Ids as little-endian bytes, 2 or 4 for each; throws on an id outside the vocabulary. */
  packTokens(tokens: Uint32Array, vocabSize: number, bytesPerToken: 2 | 4): Uint8Array
}

export function shardKernels(): ShardKernels {
  return loadAddon<ShardKernels>()
}
