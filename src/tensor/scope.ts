import { SmolforgeError } from '../errors.ts'
import type { DType, Handle, Lifetime } from './backend.ts'
import { backend } from './engine.ts'

/**
 * Runs `body` with a step arena: the tensors that it makes live until it returns and their memory is used again by
 * the next step. Return numbers or typed arrays, never tensors.
 */
export function step<T>(body: () => T): T {
  return runScope(body, true, false)
}

export interface InferenceOptions {
  /**
   * Lets products with weights in blocks round their input to int8 by 32s, as llama.cpp does, where the engine's precision
   * is bf16 and that is faster: for generation, too coarse to score with. What `inference` stands around says it for
   * what stands inside. Few rows, as of single tokens, are rounded in bf16 in any case.
   */
  int8?: boolean
}

/** As `step`, without recording for autograd. It may stand inside a step. */
export function inference<T>(body: () => T, { int8 }: InferenceOptions = {}): T {
  return runScope(body, false, int8 ?? current?.int8 ?? false)
}

/** The memory of a tensor; views of a tensor share it. */
export class Buffer {
  readonly handle: Handle
  readonly #lifetime: Lifetime
  state: 'live' | 'freed' | 'step over' = 'live'

  constructor(length: number, dtype: DType, lifetime: Lifetime, handle?: Handle) {
    this.handle = handle ?? backend().allocate(length, dtype, lifetime)
    this.#lifetime = lifetime
    if (lifetime === 'step') current?.buffers.push(this)
    else forgotten.register(this, this.handle, this)
  }

  /** Gives the memory back before the end of its step, or of the program. */
  free(): void {
    if (this.state !== 'live') return
    this.state = 'freed'
    if (this.#lifetime !== 'step') forgotten.unregister(this)
    backend().release(this.handle)
  }
}

/** Whether operations are recorded for `backward` here. */
export function recording(): boolean {
  return current?.recording ?? true
}

/** Whether new tensors live outside of any step. */
export function outsideSteps(): boolean {
  return current === undefined
}

interface Scope {
  buffers: Buffer[]
  recording: boolean
  int8: boolean
  outer: Scope | undefined
}

let current: Scope | undefined

function runScope<T>(body: () => T, records: boolean, int8: boolean): T {
  const scope: Scope = { buffers: [], recording: records && recording(), int8, outer: current }
  backend().openScope(int8)
  current = scope
  try {
    const result = body()
    if (result instanceof Promise) {
      throw new SmolforgeError('usage', 'The body of a step must not be asynchronous', {
        hint: 'Await the input before the step and return numbers from it.',
      })
    }
    return result
  } finally {
    current = scope.outer
    for (const buffer of scope.buffers) if (buffer.state === 'live') buffer.state = 'step over'
    backend().closeScope()
  }
}

// A tensor outside of steps that was dropped without free() gives its memory back when it is collected.
const forgotten = new FinalizationRegistry<Handle>((handle) => backend().release(handle))
