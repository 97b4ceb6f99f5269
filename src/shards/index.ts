export type { BatchRow, RowFill, TokenBatch } from './batch.ts'
export { type DatatroveFile, openDatatrove, readDatatrove, writeDatatrove } from './datatrove.ts'
export { type PackingFigures, packingFigures } from './packingFigures.ts'
export { type PackingName, packings, Sampler, type SamplerOptions, type SamplerState } from './sampler.ts'
export { type OpenShardsOptions, type ShardDocument, ShardSet } from './set.ts'
export {
  type PackedDocuments,
  type TokenizedDocument,
  type WriteShardsOptions,
  writeShards,
} from './write.ts'
