import { describe, expect, it } from 'vitest'
import * as t from '../../src/tensor/index.ts'
import { type Case, cases, noise } from './cases.ts'
import { isasHere } from './isas.ts'

describe.each(isasHere())('on %s', (isa) => {
  it.each(cases)('$name has the right values and gradients', (each) => {
    t.configure({ isa, threads: 2, precision: 'f32' })
    const data = each.inputs.map((shape, i) => noise(size(shape), `${each.name} ${i}`, each.positive))
    const { values, gradients, slopes } = runCase(each, data)
    const inputs = data.map((input) => Float64Array.from(input))
    expectClose(values, each.wanted(inputs), 2e-5)
    for (const [i, gradient] of gradients.entries()) {
      expectClose(gradient, finiteDifferences(each, inputs, i, slopes), 1e-4)
    }
  })
})

/** Values of the case, and the gradients of sum(slopes * values) by every input. */
function runCase(each: Case, data: Float32Array[]) {
  const parameters = data.map((input, i) => t.parameter(input, each.inputs[i]))
  const { values, slopes } = t.step(() => {
    const y = each.run(parameters)
    const slopes = noise(y.size, `slopes of ${each.name}`)
    t.sum(t.mul(y, t.tensor(slopes, y.shape))).backward()
    return { values: y.read(), slopes }
  })
  const gradients = parameters.map((parameter) => parameter.grad!.read())
  for (const parameter of parameters) parameter.free()
  return { values, gradients, slopes }
}

/** The gradient by one input, from the double-precision reference alone. */
function finiteDifferences(each: Case, inputs: Float64Array[], which: number, slopes: Float32Array) {
  const total = (i: number, change: number) => {
    const changed = inputs.map((input) => input.slice())
    changed[which][i] += change
    return each.wanted(changed).reduce((sum, value, at) => sum + slopes[at] * value, 0)
  }
  return inputs[which].map((_, i) => (total(i, 1e-5) - total(i, -1e-5)) / 2e-5)
}

function expectClose(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number) {
  expect(got.length).toBe(wanted.length)
  const scale = Math.max(1, ...Array.from(wanted, Math.abs))
  for (let i = 0; i < wanted.length; i++) {
    if (!(Math.abs(got[i] - wanted[i]) <= tolerance * scale)) {
      expect.fail(`element ${i} is ${got[i]}, not ${wanted[i]}`)
    }
  }
}

function size(shape: readonly number[]): number {
  return shape.reduce((total, length) => total * length, 1)
}
