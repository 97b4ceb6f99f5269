export {
  type AdamwSettings,
  type DType,
  type EngineInfo,
  type EngineSettings,
  ISAS,
  type Isa,
  type MemoryUse,
  type MuonSettings,
  type Precision,
  type ProfileEntry,
} from './backend.ts'
export { mapBlocks, type StoredBlocks } from './blocks.ts'
export { activationType, configure, engineInfo, engineMemory, engineProfile } from './engine.ts'
export { type AttentionOptions, attention, selfAttention } from './operations/attention.ts'
export {
  add,
  exp,
  gelu,
  log,
  logSigmoid,
  mul,
  neg,
  scale,
  sigmoid,
  silu,
  sqrt,
  sub,
} from './operations/elementwise.ts'
export { headLoss, tokenLogProbs } from './operations/head.ts'
export { type LinearOptions, linear, normLinears, swigluLinear } from './operations/linears.ts'
export { matmul, reshape, transpose } from './operations/matrix.ts'
export { layerNorm, rmsNorm } from './operations/normalise.ts'
export { recompute } from './operations/recompute.ts'
export { mean, sum } from './operations/reduce.ts'
export { type RopeInPlaceOptions, type RopeOptions, rope, ropeInPlace } from './operations/rope.ts'
export { concat, embedding, gatherRows, overwrite, slice } from './operations/rows.ts'
export { attendSequences, type Sequence } from './operations/sequences.ts'
export { logSoftmax, softmax } from './operations/softmax.ts'
export { swiglu } from './operations/swiglu.ts'
export {
  type AdamwEntry,
  adamw8bitStep,
  adamwStep,
  gradientNorm,
  type MuonEntry,
  moments8bit,
  muonStep,
  zeroGrad,
} from './optimizers.ts'
export { type InferenceOptions, inference, recording, step } from './scope.ts'
export { full, parameter, Tensor, tensor, untilBackward, zeros } from './tensor.ts'
