import { describe, expect, it } from 'vitest'
import * as t from '../../src/tensor/index.ts'
import { type Case, cases, noise } from './cases.ts'
import { isasHere } from './isas.ts'

describe.each(isasHere())('on %s', (isa) => {
  it.each(cases)('$name has the right values and gradients', (each) => {
    t.configure({ isa, threads: 2, precision: 'f32' })
    const data = each.inputs.map((shape, i) => noise(size(shape), `${each.name} ${i}`, each.positive))
    const { values, gradients, sums, slopes } = runCase(each, data)
    const inputs = data.map((input) => Float64Array.from(input))
    expectClose(values, each.wanted(inputs), 2e-5)
    for (const [i, gradient] of gradients.entries()) {
      expectClose(gradient, finiteDifferences(each, inputs, i, slopes), 1e-4)
      expectClose(
        sums[i],
        Array.from(gradient, (value) => 2 * value),
        1e-6,
      )
    }
  })

  it.each(cases)('$name hides no value that is not a number', (each) => {
    t.configure({ isa, threads: 2, precision: 'f32' })
    for (const which of each.inputs.keys()) {
      const data = each.inputs.map((shape, i) => noise(size(shape), `${each.name} ${i}`, each.positive))
      data[which].fill(Number.NaN)
      const { values } = runCase(each, data)
      const wanted = each.wanted(data.map((input) => Float64Array.from(input)))
      expect(Array.from(values, Number.isNaN)).toEqual(Array.from(wanted, Number.isNaN))
    }
  })
})

/** Values of the case, the gradients of sum(slopes * values) by every input, and what a second pass makes of them. */
function runCase(each: Case, data: Float32Array[]) {
  const parameters = data.map((input, i) => t.parameter(input, each.inputs[i]))
  const pass = () =>
    t.step(() => {
      const y = each.run(parameters)
      const slopes = noise(y.size, `slopes of ${each.name}`)
      t.sum(t.mul(y, t.tensor(slopes, y.shape))).backward()
      return { values: y.read(), slopes }
    })
  const read = () => parameters.map((parameter) => parameter.grad!.read())
  const { values, slopes } = pass()
  const gradients = read()
  pass()
  const sums = read()
  for (const parameter of parameters) parameter.free()
  return { values, gradients, sums, slopes }
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
