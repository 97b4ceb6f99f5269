import { Random } from '../../src/random/random.ts'
import * as t from '../../src/tensor/index.ts'
import type { Values } from './reference.ts'
import * as reference from './reference.ts'

/** One operation at one shape: what the engine does and what it should give. */
export interface Case {
  name: string
  /** Shapes of the f32 inputs, all of which get a gradient. */
  inputs: number[][]
  run(inputs: t.Tensor[]): t.Tensor
  wanted(inputs: Values[]): Values
  /** Inputs above zero, for log and sqrt. */
  positive?: boolean
}

const simple: [string, (x: t.Tensor) => t.Tensor, (x: number) => number, boolean?][] = [
  ['neg', t.neg, (x) => -x],
  ['exp', t.exp, Math.exp],
  ['log', t.log, Math.log, true],
  ['sqrt', t.sqrt, Math.sqrt, true],
  ['sigmoid', t.sigmoid, reference.sigmoid],
  ['silu', t.silu, (x) => x * reference.sigmoid(x)],
  ['gelu', t.gelu, (x) => x * reference.normalUpTo(x)],
  ['logSigmoid', t.logSigmoid, (x) => Math.log(reference.sigmoid(x))],
  ['scale', (x) => t.scale(x, -1.7), (x) => -1.7 * x],
]

const binary = [
  ['add', t.add, (a: number, b: number) => a + b],
  ['sub', t.sub, (a: number, b: number) => a - b],
  ['mul', t.mul, (a: number, b: number) => a * b],
] as const

const elementwise: Case[] = [
  ...simple.flatMap(([name, run, f, positive]) =>
    [[1], [7, 5]].map((shape) => ({
      name: `${name} of [${shape}]`,
      inputs: [shape],
      run: ([x]: t.Tensor[]) => run(x),
      wanted: ([x]: Values[]) => reference.map(x, f),
      positive,
    })),
  ),
  ...binary.flatMap(([name, run, f]) =>
    [
      [
        [3, 7],
        [3, 7],
      ],
      [
        [3, 5, 7],
        [5, 7],
      ],
      [[5, 7], [7]],
      [[5, 7], []],
    ].map(([left, right]) => ({
      name: `${name} of [${left}] and [${right}]`,
      inputs: [left, right],
      run: ([a, b]: t.Tensor[]) => run(a, b),
      wanted: ([a, b]: Values[]) => reference.map(a, (value, i) => f(value, b[i % b.length])),
    })),
  ),
  {
    name: 'a tensor used three times gets the sum of its gradients',
    inputs: [[3, 5]],
    run: ([x]) => t.add(t.mul(x, x), t.add(x, x)),
    wanted: ([x]) => reference.map(x, (value) => value * value + 2 * value),
  },
  {
    name: 'swiglu',
    inputs: [
      [3, 13],
      [3, 13],
    ],
    run: ([gate, up]) => t.swiglu(gate, up),
    wanted: ([gate, up]) => reference.map(gate, (g, i) => g * reference.sigmoid(g) * up[i]),
  },
]

const sumAlong = (x: Values, outer: number, axis: number, inner: number, factor: number): Values => {
  const y = new Float64Array(outer * inner)
  for (let i = 0; i < x.length; i++) y[Math.floor(i / (axis * inner)) * inner + (i % inner)] += factor * x[i]
  return y
}

const reductions: Case[] = [
  ['sum', t.sum, undefined, 1, 30, 1, 1],
  ['mean', t.mean, undefined, 1, 30, 1, 1 / 30],
  ['sum', t.sum, 0, 1, 2, 15, 1],
  ['mean', t.mean, 1, 2, 3, 5, 1 / 3],
  ['sum', t.sum, -1, 6, 5, 1, 1],
].map(([name, run, axis, outer, length, inner, factor]) => ({
  name: `${name} over axis ${axis}`,
  inputs: [[2, 3, 5]],
  run: ([x]: t.Tensor[]) => (run as typeof t.sum)(x, axis as number | undefined),
  wanted: ([x]: Values[]) =>
    sumAlong(x, outer as number, length as number, inner as number, factor as number),
}))

const matrices: Case[] = [
  ...[
    [1, 1, 1],
    [7, 17, 5],
    [13, 33, 3],
    [3, 2, 37],
  ].flatMap(([m, n, k]): Case[] => [
    {
      name: `matmul [${m}, ${k}] x [${k}, ${n}]`,
      inputs: [
        [m, k],
        [k, n],
      ],
      run: ([a, b]) => t.matmul(a, b),
      wanted: ([a, b]) => reference.matmul(a, b, m, n, k),
    },
    {
      name: `linear [${m}, ${k}] to ${n}`,
      inputs: [
        [m, k],
        [n, k],
      ],
      run: ([x, weight]) => t.linear(x, weight),
      wanted: ([x, weight]) => reference.matmul(x, reference.transpose(weight, n, k), m, n, k),
    },
  ]),
  {
    name: 'linear plus a residual',
    inputs: [
      [7, 5],
      [9, 5],
      [7, 9],
    ],
    run: ([x, weight, plus]) => t.linear(x, weight, { plus }),
    wanted: ([x, weight, plus]) =>
      reference.map(
        reference.matmul(x, reference.transpose(weight, 9, 5), 7, 9, 5),
        (value, i) => value + plus[i],
      ),
  },
  {
    name: 'three linear layers over one norm',
    inputs: [[2, 5, 7], [7], [6, 7], [3, 7], [9, 7]],
    run: ([x, norm, ...weights]) => t.normLinears(x, norm, 1e-5, weights),
    wanted: ([x, norm, ...weights]) => {
      const h = reference.rmsNorm(x, norm, 1e-5)
      const sizes = [6, 3, 9]
      const parts = weights.map((weight, i) =>
        reference.matmul(h, reference.transpose(weight, sizes[i], 7), 10, sizes[i], 7),
      )
      const row = (r: number) =>
        parts.flatMap((part, i) => [...part.subarray(r * sizes[i], (r + 1) * sizes[i])])
      return Float64Array.from(Array.from({ length: 10 }, (_, r) => row(r)).flat())
    },
  },
  {
    name: 'the second half of a SwiGLU block',
    inputs: [
      [3, 10],
      [7, 5],
      [3, 7],
    ],
    run: ([gateUp, down, plus]) => t.swigluLinear(gateUp, down, plus),
    wanted: ([gateUp, down, plus]) => {
      const product = Float64Array.from({ length: 15 }, (_, i) => {
        const at = Math.floor(i / 5) * 10 + (i % 5)
        return gateUp[at] * reference.sigmoid(gateUp[at]) * gateUp[at + 5]
      })
      return reference.map(
        reference.matmul(product, reference.transpose(down, 7, 5), 3, 7, 5),
        (value, i) => value + plus[i],
      )
    },
  },
  {
    name: 'matmul of a batch',
    inputs: [
      [2, 3, 5],
      [2, 5, 4],
    ],
    run: ([a, b]) => t.matmul(a, b),
    wanted: ([a, b]) => {
      const one = (i: number) =>
        reference.matmul(a.subarray(15 * i, 15 * i + 15), b.subarray(20 * i, 20 * i + 20), 3, 4, 5)
      return Float64Array.from([...one(0), ...one(1)])
    },
  },
  {
    name: 'transpose and reshape',
    inputs: [[5, 7]],
    run: ([x]) => t.reshape(t.transpose(x), [5, 7]),
    wanted: ([x]) => reference.transpose(x, 5, 7),
  },
]

const rows: Case[] = [
  ...[true, false].flatMap((log): Case[] =>
    [1, 5, 33].map((columns) => ({
      name: `${log ? 'logSoftmax' : 'softmax'} over ${columns}`,
      inputs: [[3, columns]],
      run: ([x]) => (log ? t.logSoftmax(x) : t.softmax(x)),
      wanted: ([x]) => reference.softmax(x, columns, log),
    })),
  ),
  ...[1, 7, 35].map(
    (columns): Case => ({
      name: `rmsNorm over ${columns}`,
      inputs: [[3, columns], [columns]],
      run: ([x, weight]) => t.rmsNorm(x, weight, 1e-5),
      wanted: ([x, weight]) => reference.rmsNorm(x, weight, 1e-5),
    }),
  ),
  {
    name: 'slice and concat',
    inputs: [
      [5, 3],
      [2, 3],
    ],
    run: ([a, b]) => t.concat([t.slice(a, 1, 4), b, t.slice(a, 0, 2)]),
    wanted: ([a, b]) => Float64Array.from([...a.subarray(3, 12), ...b, ...a.subarray(0, 6)]),
  },
  {
    name: 'gatherRows with a row taken twice',
    inputs: [[4, 3]],
    run: ([x]) => t.gatherRows(x, Int32Array.of(2, 0, 2)),
    wanted: ([x]) => Float64Array.from([...x.subarray(6, 9), ...x.subarray(0, 3), ...x.subarray(6, 9)]),
  },
  {
    name: 'embedding',
    inputs: [[5, 37]],
    run: ([weight]) => t.embedding(weight, t.tensor(Int32Array.of(4, 1, 1, 0), [2, 2])),
    wanted: ([weight]) =>
      Float64Array.from([4, 1, 1, 0].flatMap((id) => [...weight.subarray(37 * id, 37 * id + 37)])),
  },
  ...[2, 6, 22].map(
    (headDim): Case => ({
      name: `rope with heads of ${headDim}`,
      inputs: [[2, 3, 2 * headDim]],
      run: ([x]) => t.rope(x, { headDim, theta: 10000, start: 5 }),
      wanted: ([x]) => reference.rope(x, 3, 2, headDim, 10000, 5),
    }),
  ),
]

/** Turned heads beside columns that stay, used once more to share the gradient. */
const ropeInPlaceCase: Case = {
  name: 'rope in place on the first heads of wider rows',
  inputs: [
    [2, 3, 20],
    [2, 3, 20],
  ],
  run: ([x, y]) => {
    const sum = t.add(x, y)
    const turned = t.ropeInPlace(sum, { heads: 2, headDim: 6, theta: 10000, start: 5 })
    return t.add(turned, turned)
  },
  wanted: ([x, y]) => {
    const sum = reference.map(x, (value, i) => value + y[i])
    const rows = Array.from({ length: 6 }, (_, r) => sum.subarray(20 * r, 20 * r + 20))
    const heads = Float64Array.from(rows.flatMap((row) => [...row.subarray(0, 12)]))
    const turned = reference.rope(heads, 3, 2, 6, 10000, 5)
    const result = rows.flatMap((row, r) => [...turned.subarray(12 * r, 12 * r + 12), ...row.subarray(12)])
    return Float64Array.from(result, (value) => 2 * value)
  },
}

const attentionCase = (
  name: string,
  sizes: Partial<reference.AttentionSizes> & { time: number; headDim: number },
): Case => {
  const s = { batch: 2, heads: 2, kvHeads: 1, capacity: sizes.time, keyLength: sizes.time, ...sizes }
  s.keyLength = sizes.keyLength ?? s.capacity
  const { segments, causal, ...rest } = s
  return {
    name: `attention, ${name}`,
    inputs: [
      [s.batch, s.time, s.heads * s.headDim],
      [s.batch, s.capacity, s.kvHeads * s.headDim],
      [s.batch, s.capacity, s.kvHeads * s.headDim],
    ],
    run: ([q, k, v]) =>
      t.attention(q, k, v, {
        heads: s.heads,
        kvHeads: s.kvHeads,
        keyLength: sizes.keyLength,
        causal,
        segments: segments && t.tensor(segments, [s.batch, s.time]),
      }),
    wanted: ([q, k, v]) => reference.attention(q, k, v, { ...rest, causal, segments }),
  }
}

const attentions: Case[] = [
  attentionCase('one position', { time: 1, headDim: 4 }),
  attentionCase('a prime length', { time: 19, headDim: 3, batch: 1 }),
  attentionCase('three heads a group', { time: 5, headDim: 6, heads: 6, kvHeads: 2 }),
  attentionCase('keys before the queries', { time: 3, capacity: 9, headDim: 5 }),
  attentionCase('a cache that is not full', { time: 2, capacity: 23, keyLength: 18, headDim: 4, batch: 1 }),
  attentionCase('one query over a cache', {
    time: 1,
    capacity: 40,
    keyLength: 33,
    headDim: 18,
    heads: 4,
    kvHeads: 2,
  }),
  attentionCase('documents', {
    time: 7,
    headDim: 4,
    segments: Int32Array.of(0, 0, 1, 1, 1, 2, 3, 5, 5, 5, 5, 5, 5, 5),
  }),
  attentionCase('documents that come back', {
    time: 7,
    headDim: 4,
    segments: Int32Array.of(0, 1, 0, 1, 1, 2, 0, 3, 3, 2, 3, 2, 2, 2),
  }),
  attentionCase('all keys', { time: 19, headDim: 3, causal: false }),
  attentionCase('all keys of a cache', { time: 3, capacity: 23, keyLength: 18, headDim: 4, causal: false }),
  attentionCase('texts beside their padding', {
    time: 7,
    headDim: 4,
    causal: false,
    segments: Int32Array.of(0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1),
  }),
  attentionCase('whole documents that come back', {
    time: 7,
    headDim: 4,
    causal: false,
    segments: Int32Array.of(0, 1, 0, 1, 1, 2, 0, 3, 3, 2, 3, 2, 2, 2),
  }),
]

/** Queries, keys and values side by side in one matrix. */
const jointCase = (name: string, sizes: { time: number; headDim: number; segments?: Int32Array }): Case => {
  const { time, headDim, segments } = sizes
  const [batch, heads, kvHeads] = [2, 4, 2]
  const width = (heads + 2 * kvHeads) * headDim
  const columns = (x: Values, from: number, to: number) =>
    Float64Array.from(
      Array.from({ length: batch * time }, (_, row) => [
        ...x.subarray(row * width + from, row * width + to),
      ]).flat(),
    )
  return {
    name: `selfAttention, ${name}`,
    inputs: [[batch, time, width]],
    run: ([qkv]) =>
      t.selfAttention(qkv, { heads, kvHeads, segments: segments && t.tensor(segments, [batch, time]) }),
    wanted: ([qkv]) => {
      const [keys, values] = [heads * headDim, (heads + kvHeads) * headDim]
      const shape = { batch, time, capacity: time, heads, kvHeads, headDim, keyLength: time, segments }
      const parts = [columns(qkv, 0, keys), columns(qkv, keys, values), columns(qkv, values, width)] as const
      return reference.attention(...parts, shape)
    },
  }
}

const jointAttentions: Case[] = [
  jointCase('a prime length', { time: 11, headDim: 3 }),
  jointCase('documents', { time: 4, headDim: 6, segments: Int32Array.of(0, 0, 1, 1, 2, 2, 2, 2) }),
]

const targets = Int32Array.of(3, -1, 0, 16, 3)
const weights = Float32Array.of(0.5, 1, 0.25, -1, 2)

const heads: Case[] = [
  {
    name: 'headLoss',
    inputs: [
      [5, 7],
      [17, 7],
    ],
    run: ([x, weight]) => t.headLoss(x, weight, t.tensor(targets, [5]), weights).loss,
    wanted: ([x, weight]) => {
      const nll = reference.headNll(x, weight, targets, 7)
      return Float64Array.of(nll.reduce((total, value, i) => total + weights[i] * value, 0))
    },
  },
  {
    name: 'headLoss without a target',
    inputs: [
      [2, 3],
      [5, 3],
    ],
    run: ([x, weight]) =>
      t.headLoss(x, weight, t.tensor(Int32Array.of(-1, -1), [2]), Float32Array.of(1, 1)).loss,
    wanted: () => Float64Array.of(0),
  },
  {
    name: 'tokenLogProbs',
    inputs: [
      [5, 7],
      [17, 7],
    ],
    run: ([x, weight]) => t.tokenLogProbs(x, weight, t.tensor(targets, [5])),
    wanted: ([x, weight]) => reference.map(reference.headNll(x, weight, targets, 7), (nll) => -nll),
  },
]

const sameTwice: Case[] = [
  {
    name: 'swiglu of a tensor and itself',
    inputs: [[3, 5]],
    run: ([x]) => t.swiglu(x, x),
    wanted: ([x]) => reference.map(x, (value) => value * value * reference.sigmoid(value)),
  },
  {
    name: 'attention of a tensor to itself',
    inputs: [[1, 5, 6]],
    run: ([x]) => t.attention(x, x, x, { heads: 2, kvHeads: 2 }),
    wanted: ([x]) =>
      reference.attention(x, x, x, {
        batch: 1,
        time: 5,
        capacity: 5,
        heads: 2,
        kvHeads: 2,
        headDim: 3,
        keyLength: 5,
      }),
  },
]

export const cases: Case[] = [
  ...sameTwice,
  ropeInPlaceCase,
  ...elementwise,
  ...reductions,
  ...matrices,
  ...rows,
  ...attentions,
  ...jointAttentions,
  ...heads,
]

/** Reproducible values in [-2, 2), or [0.5, 2.5). */
export function noise(size: number, purpose: string, positive = false): Float32Array {
  const random = Random.derive(7, purpose)
  return Float32Array.from(
    { length: size },
    () => random.float() * (positive ? 2 : 4) + (positive ? 0.5 : -2),
  )
}
