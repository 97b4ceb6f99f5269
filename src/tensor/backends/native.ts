import { SmolforgeError } from '../../errors.ts'
import { loadAddon } from '../../native/addon.ts'
import type {
  Backend,
  DType,
  EngineInfo,
  EngineSettings,
  Handle,
  Isa,
  Lifetime,
  Precision,
  ProfileEntry,
} from '../backend.ts'

/** The backend over the Rust kernels of this machine's CPU; SMOLFORGE_ISA, SMOLFORGE_THREADS and SMOLFORGE_PRECISION set it up. */
export function openNativeBackend(): Backend {
  const kernels = loadAddon<TensorKernels>()
  const configure = (settings: EngineSettings): EngineInfo => {
    try {
      return kernels.tensorConfigure(settings.threads, settings.precision, settings.isa) as EngineInfo
    } catch (cause) {
      throw new SmolforgeError('usage', cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }
  configure(environmentSettings())
  return {
    name: 'native',
    configure,
    info: () => kernels.tensorInfo() as EngineInfo,
    profile: kernels.tensorProfile,
    allocate: (length, dtype, lifetime) =>
      kernels.tensorAllocate(length, dtypeCodes[dtype], lifetimeCodes[lifetime]),
    release: kernels.tensorRelease,
    openScope: kernels.tensorOpenScope,
    closeScope: kernels.tensorCloseScope,
    memory: kernels.tensorMemory,
    mapBlocks: kernels.tensorMapBlocks,
    read: (handle, into) =>
      into instanceof Int32Array
        ? kernels.tensorReadInts(handle, into)
        : kernels.tensorReadFloats(handle, into),
    write: (handle, data) =>
      data instanceof Int32Array
        ? kernels.tensorWriteInts(handle, data)
        : kernels.tensorWriteFloats(handle, data),
    fill: kernels.tensorFill,
    copy: kernels.tensorCopy,
    unary: kernels.tensorUnary,
    unaryGradient: kernels.tensorUnaryGradient,
    binary: kernels.tensorBinary,
    scale: kernels.tensorScale,
    scaleInPlace: kernels.tensorScaleInPlace,
    sumAxis: kernels.tensorSumAxis,
    spreadAxis: kernels.tensorSpreadAxis,
    transpose: kernels.tensorTranspose,
    matmul: kernels.tensorMatmul,
    linears: kernels.tensorLinears,
    normLinears: kernels.tensorNormLinears,
    linearsInputGradient: kernels.tensorLinearsInputGradient,
    linearsWeightGradient: kernels.tensorLinearsWeightGradient,
    normLinearsGradient: kernels.tensorNormLinearsGradient,
    swigluLinear: kernels.tensorSwigluLinear,
    swigluLinearGradient: kernels.tensorSwigluLinearGradient,
    softmax: kernels.tensorSoftmax,
    softmaxGradient: kernels.tensorSoftmaxGradient,
    gatherRows: kernels.tensorGatherRows,
    scatterRows: kernels.tensorScatterRows,
    rmsNorm: kernels.tensorRmsNorm,
    layerNorm: kernels.tensorLayerNorm,
    rmsNormGradient: kernels.tensorRmsNormGradient,
    swiglu: kernels.tensorSwiglu,
    swigluGradient: kernels.tensorSwigluGradient,
    swigluRows: kernels.tensorSwigluRows,
    rope: kernels.tensorRope,
    ropeInPlace: kernels.tensorRopeInPlace,
    attention: kernels.tensorAttention,
    attentionGradient: kernels.tensorAttentionGradient,
    attendSequences: kernels.tensorAttendSequences,
    headLogProbs: kernels.tensorHeadLogProbs,
    headGradient: kernels.tensorHeadGradient,
    sumOfSquares: kernels.tensorSumOfSquares,
    adamw: kernels.tensorAdamw,
    adamw8bit: kernels.tensorAdamw8bit,
    stateWords: kernels.tensorStateWords,
    muon: kernels.tensorMuon,
  }
}

// Blocks are never allocated: the addon knows no type 3.
const dtypeCodes: Record<DType, number> = { f32: 0, i32: 1, bf16: 2, blocks: 3 }

const lifetimeCodes: Record<Lifetime, number> = { step: 0, kept: 1, persistent: 2 }

/** What the addon calls these functions: the backend's own, with a prefix, except where a type differs. */
type TensorKernels = {
  [Name in Same as `tensor${Capitalize<Name>}`]: Backend[Name]
} & {
  tensorConfigure(threads?: number, precision?: string, isa?: string): object
  tensorInfo(): object
  tensorProfile(reset: boolean): ProfileEntry[]
  tensorAllocate(length: number, dtype: number, lifetime: number): Handle
  tensorReadInts(handle: Handle, into: Int32Array): void
  tensorReadFloats(handle: Handle, into: Float32Array): void
  tensorWriteInts(handle: Handle, data: Int32Array): void
  tensorWriteFloats(handle: Handle, data: Float32Array): void
}

type Same = Exclude<
  keyof Backend & string,
  'name' | 'configure' | 'info' | 'profile' | 'allocate' | 'read' | 'write'
>

function environmentSettings(): EngineSettings {
  const { SMOLFORGE_ISA: isa, SMOLFORGE_THREADS: threads, SMOLFORGE_PRECISION: precision } = process.env
  const count = threads === undefined || threads === '' ? undefined : Number(threads)
  if (count !== undefined && !(Number.isInteger(count) && count >= 1)) {
    throw new SmolforgeError('usage', `SMOLFORGE_THREADS must be a whole number from 1, got '${threads}'`)
  }
  return {
    threads: count,
    isa: (isa === '' ? undefined : isa) as Isa | undefined,
    precision: (precision === '' ? undefined : precision) as Precision | undefined,
  }
}
