/** What a long piece of work says while it runs; the command line and the dashboard draw it, nothing else does. */
export interface ProgressEvent {
  /** How far, in `unit`; `total` is absent where it is not known beforehand. */
  done: number
  total?: number
  unit: 'documents' | 'bytes' | 'tokens' | 'steps' | 'items' | 'files'
  /** Numbers worth showing beside the bar: `loss`, `tokensPerSecond`, `learningRate`. */
  metrics?: Record<string, number>
  /** A short word on what is being done now. */
  message?: string
}

export type Progress = (event: ProgressEvent) => void

/** Asked between units of work; true once a signal or a caller wants the work to save and end. */
export interface StopSignal {
  readonly stopped: boolean
}

export const neverStop: StopSignal = { stopped: false }
export const noProgress: Progress = () => {}

/** A stop signal that another thread can set: one shared byte, no message queue to drain. */
export class SharedStop implements StopSignal {
  readonly memory: SharedArrayBuffer
  readonly #flag: Int32Array

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.memory = memory
    this.#flag = new Int32Array(memory)
  }

  get stopped(): boolean {
    return Atomics.load(this.#flag, 0) !== 0
  }

  stop(): void {
    Atomics.store(this.#flag, 0, 1)
  }
}
