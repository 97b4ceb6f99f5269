import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { adamw, type Shape } from './shapes.ts'

export type Dtype = 'f32' | 'bf16'

/** One way of one side to train: `compile` is PyTorch's alone. */
export interface Mode {
  side: 'smolforge' | 'torch'
  dtype: Dtype
  compile?: boolean
}

/** The same weights, batches and rates for every side: files, and the rate of each step as a share of the peak. */
export interface CurveJob {
  weights: string
  batches: string
  rates: number[]
}

export interface SideOptions {
  shape: Shape
  threads: number
  /** Holds both sides to this instruction set. */
  isa?: string
  /** How smolforge optimises; PyTorch has AdamW. */
  optimizer?: string
  /** How smolforge keeps AdamW's moments of matrices, and whether it computes activations again. */
  optimizerState?: string
  recompute?: boolean
  curve?: CurveJob
  /** A Python with PyTorch. */
  python?: string
}

/** What a side says of itself once it is warm. */
export interface Hello {
  version: string
  isa: string
  threads: number
  cpu?: string
  /** Multiply-adds on registers alone, in GFLOP/s; smolforge measures it. */
  peakGigaflops?: number
}

export interface Rounds {
  times: number[]
  peakRssBytes: number
}

export interface Profile {
  wallMs: number
  steps: number
  operations: { operation: string; calls: number; milliseconds: number }[]
}

/** A side in a process of its own, so that its peak memory is its own: one line of JSON for each request. */
export class Side {
  readonly mode: Mode
  hello: Hello = { version: '', isa: '', threads: 0 }
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  #errors = ''

  /** Starts the process and waits until it has warmed up. Throws an Error with the process's last words. */
  static async start(mode: Mode, options: SideOptions): Promise<Side> {
    const side = new Side(mode, options)
    side.hello = (await side.next()) as Hello
    return side
  }

  private constructor(mode: Mode, options: SideOptions) {
    this.mode = mode
    const { shape, threads, isa, optimizer, optimizerState, recompute, curve } = options
    const job = { ...shape, threads, isa, adamw, ...mode, optimizer, optimizerState, recompute, curve }
    const script = fileURLToPath(
      new URL(mode.side === 'torch' ? '../torchTrain.py' : './smolforge.ts', import.meta.url),
    )
    const command =
      mode.side === 'torch' ? [options.python ?? 'python3'] : [process.execPath, '--import', 'tsx']
    this.#child = spawn(command[0], [...command.slice(1), script, JSON.stringify(job)], {
      env: environment(mode, options.isa),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const { stdout, stderr } = this.#child
    if (stdout === null || stderr === null) throw new Error('a process without its pipes')
    stderr.on('data', (data: Buffer) => {
      this.#errors = (this.#errors + data.toString()).slice(-4000)
    })
    this.#child.on('error', (error) => {
      this.#errors += error.message
    })
    this.#child.stdin?.on('error', () => {})
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  }

  async run(steps: number): Promise<Rounds> {
    this.#child.stdin?.write(`${steps}\n`)
    return (await this.next()) as Rounds
  }

  async profile(steps: number): Promise<Profile> {
    this.#child.stdin?.write(`profile ${steps}\n`)
    return (await this.next()) as Profile
  }

  /** The next line it says. */
  async next(): Promise<unknown> {
    const { value, done } = await this.#lines.next()
    if (done) {
      const words = this.#errors.trim().split('\n')
      // Node ends with its version, Python with the error.
      const last = words.findLast((line) => /error\b/i.test(line)) ?? words.at(-1)
      throw new Error(last || `${modeName(this.mode)} ended without a word`)
    }
    return JSON.parse(value)
  }

  /** Lets it go, and waits until its memory is free. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.stdin?.end()
    await closed
  }
}

export function modeName({ dtype, compile, side }: Mode): string {
  if (side === 'smolforge') return dtype
  return `${dtype}${dtype === 'bf16' ? ' autocast' : ''} ${compile ? 'compile' : 'eager'}`
}

/** The peer without this machine's hints to OpenBLAS, and both sides held to AVX2 where that is asked for. */
function environment({ side }: Mode, isa: string | undefined): NodeJS.ProcessEnv {
  const { OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE, ...env } = process.env
  if (side === 'smolforge') return isa === undefined ? env : { ...env, SMOLFORGE_ISA: isa }
  if (isa !== 'avx2') return env
  return {
    ...env,
    ATEN_CPU_CAPABILITY: 'avx2',
    ONEDNN_MAX_CPU_ISA: 'AVX2',
    MKL_ENABLE_INSTRUCTIONS: 'AVX2',
  }
}
