import { afterEach, describe, expect, it } from 'vitest'
import * as t from '../../src/tensor/index.ts'
import { noise } from './cases.ts'
import { isasHere } from './isas.ts'
import * as reference from './reference.ts'

// bf16 keeps 8 bits: with inputs of about 1 the largest error of a sum of products stays near 1 % of the largest value.
const TOLERANCE = 0.02

afterEach(() => {
  t.configure({ precision: 'f32' })
})

interface Block {
  batch: number
  time: number
  hidden: number
  heads: number
  kvHeads: number
  headDim: number
  inner: number
  segments?: Int32Array
}

const blocks: [string, Block][] = [
  ['small and odd', { batch: 2, time: 7, hidden: 18, heads: 3, kvHeads: 1, headDim: 6, inner: 10 }],
  [
    'with documents',
    {
      batch: 1,
      time: 83,
      hidden: 64,
      heads: 4,
      kvHeads: 2,
      headDim: 16,
      inner: 96,
      segments: Int32Array.from({ length: 83 }, (_, i) => Math.floor(i / 30)),
    },
  ],
  [
    'several blocks of queries',
    { batch: 2, time: 200, hidden: 64, heads: 2, kvHeads: 2, headDim: 32, inner: 64 },
  ],
]

describe.each(isasHere())('a transformer block stored as bf16 on %s', (isa) => {
  it.each(blocks)('%s: its loss and gradients are those of f32 within 2 %%', (_, block) => {
    t.configure({ isa, threads: 2, precision: 'f32' })
    const exact = run(block)
    t.configure({ precision: 'bf16' })
    const rounded = run(block)
    expect(rounded).not.toEqual(exact)
    for (const [i, values] of rounded.entries()) expectClose(values, exact[i])
    t.configure({ threads: 1 })
    expect(run(block)).toEqual(rounded)
  })
})

describe.each(isasHere())('attention in bf16 on %s', (isa) => {
  it('holds where the score of another key is hundreds above that of the own one', () => {
    t.configure({ isa, precision: 'bf16' })
    const sizes = { batch: 1, time: 75, capacity: 75, heads: 2, kvHeads: 1, headDim: 16, keyLength: 75 }
    // Numbers that bf16 has: only probabilities and values are rounded.
    const whole = (name: string, n: number) => noise(75 * n, name).map((value) => 4 * Math.round(8 * value))
    const [q, k, v] = [whole('q', 32), whole('k', 16), noise(75 * 16, 'v')]
    const [q64, k64, v64] = [q, k, v].map((each) => Float64Array.from(each))
    const got = t.inference(() => {
      const [keys, values] = [k, v].map((each) => t.tensor(each, [1, 75, 16]))
      return t.attention(t.tensor(q, [1, 75, 32]), keys, values, { heads: 2, kvHeads: 1 }).read()
    })
    expectClose(got as Float32Array, Float32Array.from(reference.attention(q64, k64, v64, sizes)))
  })
})

/** The output of a block and the gradients of everything in it. */
function run({ batch, time, hidden, heads, kvHeads, headDim, inner, segments }: Block): Float32Array[] {
  const dtype = t.activationType()
  const make = (name: string, shape: number[], scale = 1) =>
    t.parameter(
      noise(
        shape.reduce((a, b) => a * b, 1),
        name,
      ).map((value) => scale * value),
      shape,
    )
  const deviation = 0.5 / Math.sqrt(hidden)
  const parameters = [
    make('x', [batch, time, hidden]),
    make('norm', [hidden]),
    make('q', [heads * headDim, hidden], deviation),
    make('k', [kvHeads * headDim, hidden], deviation),
    make('v', [kvHeads * headDim, hidden], deviation),
    make('o', [hidden, heads * headDim], deviation),
    make('gate', [inner, hidden], deviation),
    make('up', [inner, hidden], deviation),
    make('down', [hidden, inner], deviation),
  ]
  const [x, norm, q, k, v, o, gate, up, down] = parameters
  const output = t.step(() => {
    const qkv = t.ropeInPlace(t.normLinears(x, norm, 1e-5, [q, k, v], dtype), {
      heads: heads + kvHeads,
      headDim,
      theta: 10000,
    })
    const mixed = t.selfAttention(qkv, {
      heads,
      kvHeads,
      segments: segments && t.tensor(segments, [batch, time]),
    })
    const h = t.linear(mixed, o, { plus: x })
    const y = t.swigluLinear(t.normLinears(h, norm, 1e-5, [gate, up], dtype), down, h)
    const slopes = t.tensor(noise(y.size, 'slopes'), y.shape)
    t.sum(t.mul(y, slopes)).backward()
    return y.read() as Float32Array
  })
  const gradients = parameters.map((each) => each.grad?.read() as Float32Array)
  for (const each of parameters) each.free()
  return [output, ...gradients]
}

function expectClose(got: Float32Array, wanted: Float32Array) {
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const worst = got.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i])), 0)
  expect(worst).toBeLessThan(TOLERANCE * largest)
}

describe('tensors of one value', () => {
  it('are rounded to what they are stored as', () => {
    t.inference(() => {
      expect([...t.full([3], 1.005, 'bf16').read()]).toEqual([1.0078125, 1.0078125, 1.0078125])
      expect([...t.zeros([2], 'bf16').read()]).toEqual([0, 0])
      expect([...t.full([2], 1.005).read()]).toEqual([Math.fround(1.005), Math.fround(1.005)])
    })
  })
})
