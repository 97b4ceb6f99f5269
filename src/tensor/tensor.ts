import { SmolforgeError } from '../errors.ts'
import { type BackwardRule, GraphNode, runBackward } from './autograd.ts'
import type { DType, Handle } from './backend.ts'
import { backend } from './engine.ts'
import { Buffer, outsideSteps, recording } from './scope.ts'

/**
 * A flat buffer of the engine with a shape. Tensors made inside `step` or `inference` are gone at its end; those
 * made outside live until `free()` (or until they are collected).
 */
export class Tensor {
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly size: number
  /** Where the tensor stands in the recorded graph; undefined when no gradient flows to it. */
  readonly node: GraphNode | undefined
  readonly #buffer: Buffer

  constructor(shape: readonly number[], dtype: DType, buffer: Buffer, node?: GraphNode) {
    this.shape = shape
    this.dtype = dtype
    this.size = sizeOf(shape)
    this.node = node
    this.#buffer = buffer
  }

  get requiresGrad(): boolean {
    return this.node !== undefined
  }

  /** What backward() summed up for this parameter since the last zeroGrad; undefined when nothing did. */
  get grad(): Tensor | undefined {
    const gradient = this.node?.gradient
    return gradient === undefined ? undefined : new Tensor(this.shape, this.dtype, gradient.buffer)
  }

  /** The buffer's name for the backend. */
  get handle(): Handle {
    return this.buffer.handle
  }

  get buffer(): Buffer {
    const { state } = this.#buffer
    if (state === 'live') return this.#buffer
    throw new SmolforgeError(
      'usage',
      state === 'freed' ? 'This tensor was freed' : 'This tensor belongs to a step that is over',
      { hint: 'Return numbers or read() arrays from step(), not tensors.' },
    )
  }

  /** Copies the values out, bf16 as f32. The only thing that waits for the engine. */
  read(): Float32Array | Int32Array {
    const into = this.dtype === 'i32' ? new Int32Array(this.size) : new Float32Array(this.size)
    if (this.size > 0) backend().read(this.handle, into)
    return into
  }

  /** The value of a one-element tensor. */
  item(): number {
    if (this.size !== 1) {
      throw new SmolforgeError('usage', `item() needs one element, this tensor has shape ${show(this.shape)}`)
    }
    return this.read()[0]
  }

  /** Replaces the values; `data` is copied. */
  write(data: Float32Array | Int32Array): void {
    checkData('write', data, this.shape)
    if (data instanceof Int32Array !== (this.dtype === 'i32')) {
      throw new SmolforgeError('usage', `write: a tensor of ${this.dtype} does not take a ${nameOf(data)}`)
    }
    if (this.size > 0) backend().write(this.handle, data)
  }

  /** Sums the gradient of this one-element tensor into `grad` of every parameter that it came from. */
  backward(): void {
    if (this.size !== 1) {
      throw new SmolforgeError(
        'usage',
        `backward() starts from one element, this tensor has shape ${show(this.shape)}`,
      )
    }
    if (this.node === undefined) {
      throw new SmolforgeError('usage', 'backward(): no parameter had a part in this tensor', {
        hint: 'Compute it from parameter() tensors inside step(), not inference().',
      })
    }
    runBackward(this.node)
  }

  /** Gives the memory back now. Views of the same memory are gone with it. */
  free(): void {
    this.#buffer.free()
    this.node?.gradient?.buffer.free()
  }
}

/** A tensor with these values: f32 from a Float32Array or numbers, i32 from an Int32Array. */
export function tensor(
  data: Float32Array | Int32Array | readonly number[],
  shape: readonly number[],
): Tensor {
  const array = data instanceof Int32Array || data instanceof Float32Array ? data : Float32Array.from(data)
  checkData('tensor', array, shape)
  const made = empty(shape, array instanceof Int32Array ? 'i32' : 'f32')
  made.write(array)
  return made
}

/** Zeros, of f32 when nothing else is said. */
export function zeros(shape: readonly number[], dtype: 'f32' | 'bf16' = 'f32'): Tensor {
  return full(shape, 0, dtype)
}

/** A tensor of one value, of f32 when nothing else is said. */
export function full(shape: readonly number[], value: number, dtype: 'f32' | 'bf16' = 'f32'): Tensor {
  const made = empty(shape, dtype)
  backend().fill(made.handle, made.size, value)
  return made
}

/** A leaf that collects a gradient. It lives outside of any step, until `free()`. */
export function parameter(data: Float32Array, shape: readonly number[]): Tensor {
  checkData('parameter', data, shape)
  const made = new Tensor(
    [...shape],
    'f32',
    new Buffer(sizeOf(shape), 'f32', 'persistent'),
    new GraphNode(sizeOf(shape), 'f32', []),
  )
  made.write(data)
  return made
}

/** A tensor whose values are not set yet, for an operation to write into. */
export function empty(shape: readonly number[], dtype: DType = 'f32'): Tensor {
  return new Tensor(
    [...shape],
    dtype,
    new Buffer(sizeOf(shape), dtype, outsideSteps() ? 'persistent' : 'step'),
  )
}

/** Whether a gradient will flow to one of these, so that what its backward rule needs must be kept. */
export function needsGradient(...inputs: readonly (Tensor | undefined)[]): boolean {
  return recording() && inputs.some((input) => input?.node !== undefined)
}

/**
 * The same tensor, to be read by nobody after backward has passed it: its memory goes back then, not at the end of the
 * step. For what an operation made, not for views of it.
 */
export function untilBackward(made: Tensor): Tensor {
  if (made.node) made.node.output = made.buffer
  return made
}

/** The output with its place in the graph: `rule` runs in backward when one of the inputs wants a gradient. */
export function record(output: Tensor, inputs: readonly Tensor[], rule: BackwardRule): Tensor {
  if (!needsGradient(...inputs)) return output
  const nodes = inputs.flatMap((input) => (input.node === undefined ? [] : [input.node]))
  return new Tensor(
    output.shape,
    output.dtype,
    output.buffer,
    new GraphNode(output.size, output.dtype, nodes, rule),
  )
}

/** `[2, 3]`, for messages. */
export function show(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`
}

/** The error for tensors that do not fit an operation: `linear: x [.., in] is needed, got bf16[2, 3] and [4, 5]`. */
export function shapeError(operation: string, what: string, ...tensors: readonly Tensor[]): SmolforgeError {
  const shapes = tensors.map(({ dtype, shape }) => (dtype === 'f32' ? '' : dtype) + show(shape)).join(' and ')
  return new SmolforgeError('usage', `${operation}: ${what}, got ${shapes}`)
}

/** Elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1
  for (const length of shape) {
    if (!Number.isInteger(length) || length < 0) {
      throw new SmolforgeError('usage', `A shape is made of whole numbers from 0, got ${show(shape)}`)
    }
    size *= length
  }
  if (size > 0x7fffffff) throw new SmolforgeError('usage', `A tensor of shape ${show(shape)} is too large`)
  return size
}

function checkData(operation: string, data: Float32Array | Int32Array, shape: readonly number[]): void {
  if (data.length !== sizeOf(shape)) {
    throw new SmolforgeError('usage', `${operation}: ${data.length} values do not fill shape ${show(shape)}`)
  }
}

function nameOf(data: Float32Array | Int32Array): string {
  return data instanceof Int32Array ? 'Int32Array' : 'Float32Array'
}
