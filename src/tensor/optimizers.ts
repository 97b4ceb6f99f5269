import { SmolforgeError } from '../errors.ts'
import type { AdamwSettings, MuonSettings } from './backend.ts'
import { backend } from './engine.ts'
import { shapeError, type Tensor, zeros } from './tensor.ts'

export interface AdamwEntry {
  parameter: Tensor
  /** First and second moment, shaped as the parameter, zeros at first. */
  m: Tensor
  v: Tensor
}

export interface MuonEntry {
  parameter: Tensor
  /** Shaped as the parameter, zeros at first. */
  momentum: Tensor
}

/** The Euclidean norm over the gradients of all parameters; those without a gradient count as zero. It waits. */
export function gradientNorm(parameters: Iterable<Tensor>): number {
  const handles: number[] = []
  for (const parameter of parameters) {
    const gradient = gradientHandle(parameter)
    if (gradient !== undefined) handles.push(gradient)
  }
  return Math.sqrt(backend().sumOfSquares(Int32Array.from(handles)))
}

/** Forgets the gradients; the next step has their memory. */
export function zeroGrad(parameters: Iterable<Tensor>): void {
  for (const { node } of parameters) {
    if (node?.gradient === undefined) continue
    node.gradient.buffer.free()
    node.gradient = undefined
  }
}

/** One step of AdamW in place (Loshchilov and Hutter 2019); parameters without a gradient stay as they are. */
export function adamwStep(entries: readonly AdamwEntry[], settings: AdamwSettings): void {
  backend().adamw(
    adamwHandles('adamwStep', entries, settings, ({ size }) => size),
    settings,
  )
}

/**
 * As `adamwStep`, with moments in 8 bits (Dettmers et al. 2022), a quarter of the memory: `m` and `v` are
 * `moments8bit` of the parameter.
 */
export function adamw8bitStep(entries: readonly AdamwEntry[], settings: AdamwSettings): void {
  backend().adamw8bit(
    adamwHandles('adamw8bitStep', entries, settings, ({ size }) => backend().stateWords(size)),
    settings,
  )
}

/** Memory for one moment of a parameter in 8 bits: codes and scales, to be saved and restored as they are. */
export function moments8bit(parameter: Tensor): Tensor {
  return zeros([backend().stateWords(parameter.size)])
}

function adamwHandles(
  operation: string,
  entries: readonly AdamwEntry[],
  settings: AdamwSettings,
  momentSize: (parameter: Tensor) => number,
): Int32Array {
  const handles: number[] = []
  for (const { parameter, m, v } of entries) {
    const size = momentSize(parameter)
    if (m.size !== size || v.size !== size) {
      throw shapeError(operation, 'the moments are not those of the parameter', parameter, m, v)
    }
    const gradient = gradientHandle(parameter)
    if (gradient !== undefined) handles.push(parameter.handle, gradient, m.handle, v.handle)
  }
  if (!(settings.step >= 1)) throw new SmolforgeError('usage', `${operation}: steps are counted from 1`)
  return Int32Array.from(handles)
}

/**
 * One step of Muon in place (Jordan et al. 2024): momentum, made orthogonal by Newton-Schulz, times
 * learningRate * sqrt(max(1, rows / columns)). For matrices; parameters without a gradient stay as they are.
 */
export function muonStep(entries: readonly MuonEntry[], settings: MuonSettings): void {
  const handles: number[] = []
  const shapes: number[] = []
  for (const { parameter, momentum } of entries) {
    if (parameter.shape.length !== 2 || momentum.size !== parameter.size) {
      throw shapeError('muonStep', 'a matrix and its momentum are needed', parameter, momentum)
    }
    const gradient = gradientHandle(parameter)
    if (gradient === undefined) continue
    handles.push(parameter.handle, gradient, momentum.handle)
    shapes.push(...parameter.shape)
  }
  backend().muon(Int32Array.from(handles), Int32Array.from(shapes), settings)
}

function gradientHandle(parameter: Tensor): number | undefined {
  return parameter.node?.gradient?.buffer.handle
}
