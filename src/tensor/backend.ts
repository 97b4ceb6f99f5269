/**
 * What a backend must do, all of it in this file.
 *
 * A handle is a small integer that names a buffer of the backend; buffers are flat, and every call carries the
 * sizes it needs, so shapes are known before a launch. A call may return before its work is done, as long as calls
 * take effect in the order they were made: only `read`, `sumOfSquares` and `profile` wait. Nothing here could not
 * be put on an asynchronous stream of a GPU. Buffers for a step, made between `openScope` and `closeScope`, are gone
 * after it, the others when they are released; `release` gives one back early, and work already launched may still read it.
 * Floats are f32 unless a call says "f32 or bf16".
 * `add` says: add to what the output holds instead of replacing it. An output is never an input of the same
 * call. Sizes are checked against the buffers: a backend
 * throws instead of touching foreign memory. The same calls with the same number of threads give the same bits.
 */
export interface Backend {
  readonly name: string
  configure(settings: EngineSettings): EngineInfo
  info(): EngineInfo
  profile(reset: boolean): ProfileEntry[]

  allocate(length: number, dtype: DType, lifetime: Lifetime): Handle
  release(handle: Handle): void
  /**
   * Until it is closed, `int8` lets products with weights in blocks round their input to int8 by 32s, however many rows it
   * has, where the precision is bf16 and that is faster.
   */
  openScope(int8: boolean): void
  closeScope(): void
  memory(): MemoryUse
  /**
   * A weight [outputs, inputs] that stays in its file from byte `start` on, in one of GGUF's block formats. With `rows`,
   * row i of the weight is row rows[i] of the file.
   */
  mapBlocks(
    path: string,
    start: number,
    format: string,
    outputs: number,
    inputs: number,
    rows?: Uint32Array,
  ): Handle
  read(handle: Handle, into: Float32Array | Int32Array): void
  write(handle: Handle, data: Float32Array | Int32Array): void
  fill(handle: Handle, length: number, value: number): void
  copy(from: Handle, fromAt: number, to: Handle, toAt: number, length: number, add: boolean): void

  /** y = f(x); `Unary` names f. */
  unary(f: number, x: Handle, y: Handle, length: number): void
  /** dx = dy * f'(x); y = f(x) is there for those f whose derivative is cheaper from it. */
  unaryGradient(f: number, x: Handle, y: Handle, dy: Handle, dx: Handle, length: number, add: boolean): void
  /** c[i] = a[i] op b[i mod period]; `Binary` names op. */
  binary(op: number, a: Handle, b: Handle, c: Handle, length: number, period: number, add: boolean): void
  /** y = factor * x */
  scale(x: Handle, factor: number, y: Handle, length: number, add: boolean): void
  /** x = s[0] * x, the factor read on the device. */
  scaleInPlace(x: Handle, s: Handle, length: number): void
  /** y[o, i] = factor * sum over a of x[o, a, i] */
  sumAxis(
    x: Handle,
    y: Handle,
    outer: number,
    axis: number,
    inner: number,
    factor: number,
    add: boolean,
  ): void
  /** x[o, a, i] = factor * y[o, i], the gradient of sumAxis. */
  spreadAxis(
    y: Handle,
    x: Handle,
    outer: number,
    axis: number,
    inner: number,
    factor: number,
    add: boolean,
  ): void
  /** y[c, r] = x[r, c] */
  transpose(x: Handle, y: Handle, rows: number, columns: number, add: boolean): void

  /**
   * c[b] = op(a[b]) op(b[b]): [m, k] x [k, n]; a transposed a is stored [k, m], a transposed b [n, k]. Each of the
   * three is f32 or bf16.
   */
  matmul(
    a: Handle,
    b: Handle,
    c: Handle,
    batch: number,
    m: number,
    n: number,
    k: number,
    transposeA: boolean,
    transposeB: boolean,
    add: boolean,
  ): void

  /**
   * Linear layers that share their input: y[rows, sum of sizes] = x[rows, inputs] times the transpose of each weight
   * [size, inputs], side by side, plus `plus` (laid out and stored as y, or `NONE`). x and y are f32 or bf16.
   */
  linears(
    x: Handle,
    weights: Int32Array,
    sizes: Int32Array,
    plus: Handle,
    y: Handle,
    rows: number,
    inputs: number,
  ): void
  /**
   * As `linears` without `plus`, of x / rms(x) * norm, which is stored as y is on the way; inverse[row] = 1 / rms, or is not
   * wanted: `NONE`.
   */
  normLinears(
    x: Handle,
    norm: Handle,
    weights: Int32Array,
    sizes: Int32Array,
    inverse: Handle,
    y: Handle,
    rows: number,
    inputs: number,
    eps: number,
  ): void
  /** dx[rows, inputs] = dy[rows, sum of sizes] times the weights. dy and dx are f32 or bf16. */
  linearsInputGradient(
    dy: Handle,
    weights: Int32Array,
    sizes: Int32Array,
    dx: Handle,
    rows: number,
    inputs: number,
    add: boolean,
  ): void
  /** The gradient of every weight, into a handle each or `NONE`. dy and x are f32 or bf16. */
  linearsWeightGradient(
    dy: Handle,
    x: Handle,
    gradients: Int32Array,
    sizes: Int32Array,
    adds: boolean[],
    rows: number,
    inputs: number,
  ): void

  /**
   * The gradients of linear layers over y = x / rms(x) * norm from dy[rows, sum of sizes], f32 or bf16: by x[rows,
   * inputs], norm and each weight; each may be `NONE`.
   */
  normLinearsGradient(
    x: Handle,
    norm: Handle,
    inverse: Handle,
    dy: Handle,
    weights: Int32Array,
    sizes: Int32Array,
    dx: Handle,
    dnorm: Handle,
    gradients: Int32Array,
    addX: boolean,
    addNorm: boolean,
    adds: boolean[],
    rows: number,
    inputs: number,
  ): void

  /**
   * y[rows, outputs] = silu(gate) * up times the transpose of weight[outputs, inputs], plus `plus`; gate and up lie side
   * by side in x[rows, 2 * inputs], f32 or bf16.
   */
  swigluLinear(
    x: Handle,
    weight: Handle,
    plus: Handle,
    y: Handle,
    rows: number,
    inputs: number,
    outputs: number,
  ): void

  /** The gradients by x, stored as it is, and by the weight, which may be `NONE`, from dy[rows, outputs]. */
  swigluLinearGradient(
    x: Handle,
    weight: Handle,
    dy: Handle,
    dx: Handle,
    dweight: Handle,
    rows: number,
    inputs: number,
    outputs: number,
    addX: boolean,
    addWeight: boolean,
  ): void

  /** Over the last axis; `log` chooses log-softmax. */
  softmax(x: Handle, y: Handle, rows: number, columns: number, log: boolean): void
  softmaxGradient(
    y: Handle,
    dy: Handle,
    dx: Handle,
    rows: number,
    columns: number,
    log: boolean,
    add: boolean,
  ): void
  /** y[i] = table[ids[i]]; an id outside the table throws, or gives zeros where checking would wait. */
  gatherRows(table: Handle, ids: Handle, y: Handle, count: number, columns: number, tableRows: number): void
  /** dtable[ids[i]] += dy[i], in the order of i. */
  scatterRows(
    dy: Handle,
    ids: Handle,
    dtable: Handle,
    count: number,
    columns: number,
    tableRows: number,
    add: boolean,
  ): void
  /** y = x / rms(x) * weight, f32 or bf16; inverse[row] = 1 / rms, kept for the gradient. */
  rmsNorm(
    x: Handle,
    weight: Handle,
    y: Handle,
    inverse: Handle,
    rows: number,
    columns: number,
    eps: number,
  ): void
  /** y = (x - mean) / sqrt(variance + eps) * weight + bias */
  layerNorm(
    x: Handle,
    weight: Handle,
    bias: Handle,
    y: Handle,
    rows: number,
    columns: number,
    eps: number,
  ): void
  /** dx and dweight may each be `NONE`. */
  rmsNormGradient(
    x: Handle,
    weight: Handle,
    inverse: Handle,
    dy: Handle,
    dx: Handle,
    dweight: Handle,
    rows: number,
    columns: number,
    addX: boolean,
    addWeight: boolean,
  ): void
  /** y = silu(gate) * up; all f32 or all bf16, and so in the two below. */
  swiglu(gate: Handle, up: Handle, y: Handle, length: number): void
  swigluGradient(
    gate: Handle,
    up: Handle,
    dy: Handle,
    dgate: Handle,
    dup: Handle,
    length: number,
    addGate: boolean,
    addUp: boolean,
  ): void
  /** As swiglu, of gate and up side by side: x[rows, 2 * width] gives y[rows, width]. */
  swigluRows(x: Handle, y: Handle, rows: number, width: number): void
  /** Rotates the halves of each head by position * theta^(-2i/headDim); `inverse` turns back (the gradient). */
  rope(
    x: Handle,
    y: Handle,
    batch: number,
    time: number,
    heads: number,
    headDim: number,
    theta: number,
    start: number,
    inverse: boolean,
    add: boolean,
  ): void
  /** As rope in place, f32 or bf16, for the first `heads` heads of x[batch, time, width]; the rest stays. */
  ropeInPlace(
    x: Handle,
    batch: number,
    time: number,
    width: number,
    heads: number,
    headDim: number,
    theta: number,
    start: number,
    inverse: boolean,
  ): void
  /**
   * Attention; logSumExp[b, h, t] is kept for the gradient; segments may be `NONE`. f32 or bf16: y as q, v as
   * k, and for the gradient all alike. q, k and v, or their gradients, may be other columns of one buffer.
   */
  attention(q: Handle, k: Handle, v: Handle, y: Handle, logSumExp: Handle, shape: AttentionShape): void
  attentionGradient(
    q: Handle,
    k: Handle,
    v: Handle,
    y: Handle,
    logSumExp: Handle,
    dy: Handle,
    dq: Handle,
    dk: Handle,
    dv: Handle,
    shape: AttentionShape,
    addQ: boolean,
    addK: boolean,
    addV: boolean,
  ): void
  /**
   * Causal attention of sequences that lie one after the other in the rows of qkv[rows, (heads + 2 * kvHeads) * headDim],
   * whose queries and keys are rotated in place by their positions; y[rows, heads * headDim]. `sequences` holds five
   * numbers for each: its rows, the positions before them, the row of qkv where those begin or `NONE`, and in its place a
   * cache of keys and one of values, [positions, kvHeads * headDim], or `NONE`: the sequence's own are written behind what
   * they hold. All f32 or all bf16.
   */
  attendSequences(
    qkv: Handle,
    y: Handle,
    sequences: Int32Array,
    heads: number,
    kvHeads: number,
    headDim: number,
    theta: number,
  ): void
  /** nll[i] = -log softmax(x[i] weightᵀ)[targets[i]], 0 where the target is negative. */
  headLogProbs(
    x: Handle,
    weight: Handle,
    targets: Handle,
    nll: Handle,
    rows: number,
    hidden: number,
    vocab: number,
  ): void
  /**
   * As headLogProbs, and the gradients of sum(scales[i] * nll[i]) by x and weight in the same pass.
   * dx and dweight may each be `NONE`.
   */
  headGradient(
    x: Handle,
    weight: Handle,
    targets: Handle,
    scales: Handle,
    nll: Handle,
    dx: Handle,
    dweight: Handle,
    rows: number,
    hidden: number,
    vocab: number,
    addX: boolean,
    addWeight: boolean,
  ): void
  /** The sum of squares over all the buffers, as a number: it waits. */
  sumOfSquares(handles: Int32Array): number
  /** `handles` holds parameter, gradient, m, v for each entry. */
  adamw(handles: Int32Array, settings: AdamwSettings): void
  /** As `adamw`, with moments in 8 bits: f32 buffers of `stateWords` words, zeros at first. */
  adamw8bit(handles: Int32Array, settings: AdamwSettings): void
  /** f32 words of one moment in 8 bits of so many parameters. */
  stateWords(parameters: number): number
  /** `handles` holds parameter, gradient, momentum for each entry; `shapes` its rows and columns. */
  muon(handles: Int32Array, shapes: Int32Array, settings: MuonSettings): void
}

export type Handle = number
/**
 * bf16 is storage alone: every sum is f32, and it is read and written as f32. So are blocks: weights as a checkpoint
 * stores them, read-only, which `linears`, `gatherRows`, `headLogProbs` and `read` take, and no gradient passes.
 */
export type DType = 'f32' | 'i32' | 'bf16' | 'blocks'

/** In place of a handle that is not wanted. */
export const NONE: Handle = -1

export const Unary = {
  neg: 0,
  exp: 1,
  log: 2,
  sqrt: 3,
  sigmoid: 4,
  silu: 5,
  logSigmoid: 6,
  gelu: 7,
} as const

export const Binary = { add: 0, sub: 1, mul: 2 } as const

export interface AttentionShape {
  batch: number
  /** Queries in each row of the batch. */
  time: number
  /** Keys that the buffers of k and v hold in each row of the batch. */
  capacity: number
  heads: number
  kvHeads: number
  headDim: number
  /** Keys that count: query i sees keys 0 .. keyLength - time + i, or all of them where it is not causal. */
  keyLength: number
  causal: boolean
  /** i32[batch, time], or `NONE`. */
  segments: Handle
  /** The width of the rows in which q lies and where its heads begin there; 0 and 0 where they lie alone. */
  queryWidth: number
  queryOffset: number
  keyWidth: number
  keyOffset: number
  valueWidth: number
  valueOffset: number
}

export interface AdamwSettings {
  learningRate: number
  beta1: number
  beta2: number
  epsilon: number
  /** Decoupled: the parameter shrinks by learningRate * weightDecay a step. */
  weightDecay: number
  /** The number of this step, from 1: it corrects the bias of the moments. */
  step: number
  /** Gradients are multiplied by this first: 1 / accumulated batches, times the clipping factor. */
  gradientScale: number
}

export interface MuonSettings {
  learningRate: number
  momentum: number
  nesterov: boolean
  newtonSchulzSteps: number
  weightDecay: number
  gradientScale: number
}

/** By the names and in the order of native/crates/tensor/src/isa.rs: what is best is last. */
export const ISAS = ['portable', 'neon', 'neonbf16', 'avx2', 'avx512', 'avx512bf16', 'amx'] as const
export type Isa = (typeof ISAS)[number]
export type Precision = 'f32' | 'bf16'

export interface EngineSettings {
  threads?: number
  /** What matmul inputs are rounded to; sums and all else are f32. */
  precision?: Precision
  isa?: Isa
}

export interface EngineInfo {
  isa: Isa
  threads: number
  precision: Precision
  cpu: string
  /** Why this instruction set and not a wider one, when the choice was not free. */
  isaReason: string
  /** Whether it multiplies bf16 by instructions of its own, so that the precision bf16 is faster than f32. */
  bf16Products: boolean
}

export interface ProfileEntry {
  operation: string
  calls: number
  milliseconds: number
}

/**
 * `step`: until its scope is closed, or `persistent` where none is open. `kept`: in the memory of steps until it is
 * released, for what comes and goes once a step or so, as gradients do. `persistent`: memory of its own.
 */
export type Lifetime = 'step' | 'kept' | 'persistent'

export interface MemoryUse {
  /** Bytes that the step arena holds from the system. */
  arenaBytes: number
  /** The most bytes that were in use in the arena at once. */
  arenaPeakBytes: number
  persistentBytes: number
  buffers: number
}
