import { execFileSync } from 'node:child_process'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import * as t from '../../src/tensor/index.ts'
import { noise } from './cases.ts'
import * as reference from './reference.ts'

const threads = t.engineInfo().threads
afterEach(() => {
  t.configure({ threads, precision: 'f32' })
})

describe('at sizes that need blocks, chunks and threads', () => {
  it('linear and its gradients equal the triple loop', () => {
    const [m, n, k] = [97, 83, 805]
    const { values, gradients } = linearRun(m, n, k)
    const x = Float64Array.from(noise(m * k, 'x'))
    const w = Float64Array.from(noise(n * k, 'w'))
    const slopes = Float64Array.from(noise(m * n, 'slopes'))
    expectClose(values, reference.matmul(x, reference.transpose(w, n, k), m, n, k), 1e-5)
    expectClose(gradients[0], reference.matmul(slopes, w, m, k, n), 1e-5)
    expectClose(gradients[1], reference.matmul(reference.transpose(slopes, m, n), x, n, k, m), 1e-5)
  })

  it('bf16 rounds the inputs of a product and nothing else: errors stay below 1 % of the largest value', () => {
    const exact = linearRun(97, 83, 805)
    t.configure({ precision: 'bf16' })
    const rounded = linearRun(97, 83, 805)
    expect(rounded.values).not.toEqual(exact.values)
    expectClose(rounded.values, exact.values, 1e-2)
    for (const i of [0, 1]) expectClose(rounded.gradients[i], exact.gradients[i], 1e-2)
  })

  it('attention over several blocks of queries equals the plain one', () => {
    const sizes = { batch: 1, time: 211, capacity: 211, heads: 4, kvHeads: 2, headDim: 18, keyLength: 211 }
    const segments = Int32Array.from({ length: 211 }, (_, i) => Math.floor(i / 70))
    const [q, k] = [noise(211 * 72, 'q'), noise(211 * 36, 'k')]
    for (const documents of [undefined, segments]) {
      const got = t.inference(() =>
        t
          .attention(t.tensor(q, [1, 211, 72]), t.tensor(k, [1, 211, 36]), t.tensor(k, [1, 211, 36]), {
            heads: 4,
            kvHeads: 2,
            segments: documents && t.tensor(documents, [1, 211]),
          })
          .read(),
      )
      const [q64, k64] = [Float64Array.from(q), Float64Array.from(k)]
      expectClose(got, reference.attention(q64, k64, k64, { ...sizes, segments: documents }), 1e-5)
    }
  })

  it('attention to all keys over several blocks of queries equals the plain one, in f32 and in bf16', () => {
    const sizes = { batch: 2, time: 150, capacity: 150, heads: 2, kvHeads: 2, headDim: 18, keyLength: 150 }
    const segments = Int32Array.from({ length: 300 }, (_, i) => (i % 150 < (i < 150 ? 97 : 150) ? 0 : 1))
    const q = noise(300 * 36, 'q')
    const q64 = Float64Array.from(q)
    for (const documents of [undefined, segments]) {
      const wanted = reference.attention(q64, q64, q64, { ...sizes, causal: false, segments: documents })
      for (const precision of ['f32', 'bf16'] as const) {
        t.configure({ precision })
        const got = t.inference(() => {
          const x = t.tensor(q, [2, 150, 36])
          const kept = documents && t.tensor(documents, [2, 150])
          return t.attention(x, x, x, { heads: 2, kvHeads: 2, causal: false, segments: kept }).read()
        })
        expectClose(got, wanted, precision === 'f32' ? 1e-5 : 2e-2)
      }
    }
  })

  it('layerNorm equals the plain one, far from zero too, and says that it has no gradient', () => {
    for (const columns of [1, 7, 64, 385]) {
      const x = noise(3 * columns, 'x').map((value) => 1000 + value)
      const [weight, bias] = [noise(columns, 'w'), noise(columns, 'b')]
      const got = t.inference(() =>
        t
          .layerNorm(t.tensor(x, [3, columns]), t.tensor(weight, [columns]), t.tensor(bias, [columns]), 1e-5)
          .read(),
      )
      const [x64, w64, b64] = [x, weight, bias].map((each) => Float64Array.from(each))
      expectClose(got, reference.layerNorm(x64, w64, b64, 1e-5), columns === 1 ? 1e-6 : 2e-3)
    }
    const p = t.parameter(noise(4, 'p'), [4])
    expect(() => t.step(() => t.layerNorm(t.tensor(noise(8, 'x'), [2, 4]), p, p, 1e-5))).toThrow(
      'no gradient',
    )
    p.free()
  })

  it('the gradients of attention do not depend on how the queries are cut into blocks', () => {
    // A mask that hides everything before the last 20 positions leaves them with what a short sequence gives.
    const long = attentionGradients(211, 20)
    const short = attentionGradients(20, 20)
    for (const i of [0, 1, 2]) expectClose(long[i], short[i], 1e-5)
  })

  it('the head over several chunks equals one row at a time', () => {
    const [rows, vocab, hidden] = [150, 33_000, 8]
    const x = noise(rows * hidden, 'head x')
    const w = noise(vocab * hidden, 'head w')
    const targets = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % vocab)
    const whole = headRun(x, w, targets, hidden)
    const each = Array.from(targets, (target, i) =>
      headRun(x.subarray(i * hidden, (i + 1) * hidden), w, Int32Array.of(target), hidden),
    )
    expectClose(
      whole.nll,
      each.flatMap((one) => [...one.nll]),
      1e-5,
    )
    expectClose(
      whole.dx,
      each.flatMap((one) => [...one.dx]),
      1e-5,
    )
    const sum = new Float64Array(vocab * hidden)
    for (const { dw } of each) for (let i = 0; i < sum.length; i++) sum[i] += dw[i]
    expectClose(whole.dw, sum, 1e-5)
  })

  it('sums, norms and scattered rows are right when threads share them', () => {
    const x = noise(300_000, 'long')
    const exact = x.reduce((total, value) => total + value, 0)
    expect(t.inference(() => t.sum(t.tensor(x, [x.length])).item())).toBeCloseTo(exact, 1)
    const ids = Int32Array.from({ length: 4000 }, (_, i) => (i * i) % 17)
    const table = t.parameter(noise(17 * 64, 'table'), [17, 64])
    t.step(() => t.sum(t.embedding(table, t.tensor(ids, [4000]))).backward())
    const counts = new Float64Array(17)
    for (const id of ids) counts[id]++
    expect(Array.from(table.grad!.read())).toEqual(Array.from(counts, (n) => Array(64).fill(n)).flat())
    expect(t.gradientNorm([table])).toBeCloseTo(
      Math.sqrt(counts.reduce((total, n) => total + 64 * n * n, 0)),
      2,
    )
    table.free()
  })
})

describe('the optimizers', () => {
  it('adamwStep follows the paper', () => {
    const settings = {
      learningRate: 0.01,
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: 0.1,
      gradientScale: 0.5,
    }
    const start = noise(37, 'adamw')
    const p = t.parameter(start, [37])
    const entry = { parameter: p, m: t.zeros([37]), v: t.zeros([37]) }
    const wanted = Float64Array.from(start)
    const [m, v] = [new Float64Array(37), new Float64Array(37)]
    for (let step = 1; step <= 3; step++) {
      const g = p.read()
      t.step(() => t.sum(t.scale(t.mul(p, p), 0.5)).backward())
      t.adamwStep([entry], { ...settings, step })
      t.zeroGrad([p])
      expect(p.grad).toBeUndefined()
      for (let i = 0; i < 37; i++) {
        m[i] = 0.9 * m[i] + 0.1 * 0.5 * g[i]
        v[i] = 0.95 * v[i] + 0.05 * (0.5 * g[i]) ** 2
        const update = m[i] / (1 - 0.9 ** step) / (Math.sqrt(v[i] / (1 - 0.95 ** step)) + 1e-8)
        wanted[i] = wanted[i] * (1 - 0.001) - 0.01 * update
      }
    }
    expectClose(p.read(), wanted, 1e-5)
  })

  it.each([
    [5, 9],
    [9, 5],
    [40, 40],
  ])('muonStep makes the momentum of a %i x %i matrix orthogonal', (rows, columns) => {
    const settings = {
      learningRate: 0.1,
      momentum: 0.9,
      newtonSchulzSteps: 5,
      weightDecay: 0.2,
      gradientScale: 2,
    }
    const [start, slope] = [noise(rows * columns, 'muon'), noise(rows * columns, 'slope')]
    // Many equal ones take the way of one thread a matrix, a single one that of all threads.
    for (const count of [1, 5]) {
      const entries = Array.from({ length: count }, () => ({
        parameter: t.parameter(start, [rows, columns]),
        momentum: t.zeros([rows, columns]),
      }))
      for (const { parameter } of entries) {
        t.step(() => t.sum(t.mul(parameter, t.tensor(slope, [rows, columns]))).backward())
      }
      t.muonStep(entries, { ...settings, nesterov: true })
      // Nesterov at the first step: (1 - 0.9) g + 0.9 (1 - 0.9) g, only the direction of which counts.
      const update = reference.newtonSchulz(Float64Array.from(slope), rows, columns, 5)
      const rate = 0.1 * Math.sqrt(Math.max(1, rows / columns))
      const wanted = Float64Array.from(start, (value, i) => value * (1 - 0.02) - rate * update[i])
      for (const { parameter } of entries) expectClose(parameter.read(), wanted, 1e-4)
    }
  })
})

describe('the same call gives the same bits', () => {
  it('again, and with any number of threads', () => {
    const runs = [1, 2, 2, 3].map((threads) => {
      t.configure({ threads })
      return modelStep()
    })
    for (const run of runs.slice(1)) expect(run).toEqual(runs[0])
  })

  it('in two workers at once', async () => {
    const source = `
      import { parentPort } from 'node:worker_threads'
      import * as t from '${new URL('../../src/tensor/index.ts', import.meta.url)}'
      t.configure({ threads: 2 })
      const x = Float32Array.from({ length: 90000 }, (_, i) => Math.sin(i))
      const sums = new Set()
      for (let i = 0; i < 100; i++) {
        sums.add(t.inference(() => t.linear(t.tensor(x, [300, 300]), t.tensor(x, [300, 300])).read().join()))
      }
      parentPort.postMessage([...sums])`
    const workers = [0, 1].map(
      () =>
        new Worker(
          `import('tsx/esm/api').then(({ register }) => { register(); return import(${dataUrl(source)}) })`,
          {
            eval: true,
          },
        ),
    )
    const results = await Promise.all(
      workers.map(
        (worker) =>
          new Promise<string[]>((resolve, reject) => {
            worker.once('message', resolve)
            worker.once('error', reject)
          }),
      ),
    )
    await Promise.all(workers.map((worker) => worker.terminate()))
    expect(results[0]).toHaveLength(1)
    expect(results[1]).toEqual(results[0])
  })
})

describe('memory', () => {
  it('does not grow over 200 steps, and tensors of a step are gone after it', () => {
    let kept: t.Tensor | undefined
    modelStep(() => {})
    const before = t.engineMemory()
    for (let i = 0; i < 200; i++) kept = smallStep()
    const after = t.engineMemory()
    expect(after.arenaBytes).toBe(before.arenaBytes)
    expect(after.persistentBytes).toBe(before.persistentBytes)
    expect(after.buffers).toBe(before.buffers)
    expect(() => kept?.read()).toThrow('step that is over')
  })

  it('what is kept until backward alone is gone after it, and gradients stay until zeroGrad', () => {
    const p = t.parameter(Float32Array.of(3), [1])
    const { buffers } = t.engineMemory()
    t.step(() => {
      const square = t.untilBackward(t.mul(p, p))
      const fourth = t.mul(square, square)
      expect(square.item()).toBe(9)
      fourth.backward()
      expect(() => square.read()).toThrow('freed')
      expect(fourth.item()).toBe(81)
    })
    expect(p.grad?.item()).toBe(108)
    expect(t.engineMemory().buffers).toBe(buffers + 1)
    t.zeroGrad([p])
    expect(t.engineMemory().buffers).toBe(buffers)
    p.free()
  })

  it('inference inside a step gives its memory back and leaves the step alone', () => {
    const p = t.parameter(Float32Array.of(3), [1])
    t.step(() => {
      const x = t.mul(p, p)
      const inner = t.inference(() => {
        const y = t.mul(x, x)
        expect(y.requiresGrad).toBe(false)
        return y.item()
      })
      expect(inner).toBe(81)
      x.backward()
    })
    expect(p.grad?.item()).toBe(6)
    p.free()
    expect(() => p.read()).toThrow('freed')
  })
})

describe('mistakes are explained', () => {
  const x = t.zeros([2, 3])
  const ids = t.tensor(Int32Array.of(0, 9), [2])
  const attend = (sequences: t.Sequence[], qkv = t.zeros([2, 6])) =>
    t.attendSequences(qkv, sequences, { heads: 1, kvHeads: 1, theta: 1 })
  const bf16 = () => t.linear(x, t.zeros([4, 3]), { dtype: 'bf16' })
  it.each([
    [
      'linear',
      () => t.linear(x, t.zeros([4, 5])),
      'linear: x [.., in] and weight [out, in] are needed, got [2, 3] and [4, 5]',
    ],
    ['matmul', () => t.matmul(x, x), '[2, 3] and [2, 3]'],
    ['add', () => t.add(x, t.zeros([2])), 'add: the right side'],
    ['add of bf16', () => t.add(bf16(), x), 'add: both sides must be f32, got bf16[2, 4] and [2, 3]'],
    ['scale of bf16', () => t.scale(bf16(), 2), 'scale: a tensor of bf16 where f32 is needed'],
    ['linear of ids', () => t.linear(ids, t.zeros([4, 2])), 'linear: a tensor of i32 where'],
    ['embedding', () => t.embedding(x, ids), 'id 9 is not in a table of 2 rows'],
    ['reshape', () => t.reshape(x, [7]), 'reshape: the size must stay'],
    ['tensor', () => t.tensor([1, 2], [3]), '2 values do not fill shape [3]'],
    ['rope', () => t.rope(x, { headDim: 2, theta: 1 }), 'rope'],
    ['attention', () => t.attention(x, x, x, { heads: 1, kvHeads: 1 }), 'attention'],
    [
      'attendSequences',
      () => t.attendSequences(x, [{ length: 2 }], { heads: 1, kvHeads: 1, theta: 1 }),
      'attendSequences: qkv [2, (1 + 2 * 1) * D] with an even D up to 256 is needed, got [2, 3]',
    ],
    [
      'attendSequences of rows that are not there',
      () => attend([{ length: 1 }, { length: 1, before: 2, beforeRow: 1 }]),
      'the sequence has no such rows before it',
    ],
    [
      'attendSequences with a full cache',
      () => attend([{ length: 2, before: 1, cache: { keys: t.zeros([2, 2]), values: t.zeros([2, 2]) } }]),
      'a tensor of 4 elements where 6 are needed',
    ],
    [
      'attendSequences with a cache of another type',
      () => attend([{ length: 2, cache: { keys: t.zeros([2, 2], 'bf16'), values: t.zeros([2, 2]) } }]),
      'a tensor of bf16 where f32 is needed',
    ],
    [
      'attendSequences with one cache for two',
      () => attend([1, 1].map((length) => ({ length, cache: { keys: x, values: t.zeros([1, 2]) } }))),
      'an output must not be an input',
    ],
    [
      'attendSequences where gradients are recorded',
      () => t.step(() => attend([{ length: 2 }], t.parameter(new Float32Array(12), [2, 6]))),
      'attendSequences has no gradient',
    ],
    ['backward', () => t.sum(x).backward(), 'no parameter had a part'],
    ['item', () => x.item(), 'one element'],
    ['step', () => t.step(async () => 1), 'asynchronous'],
    ['configure', () => t.configure({ threads: 0 }), '0 threads'],
    ['configure', () => t.configure({ precision: 'f16' as 'f32' }), "unknown precision 'f16'"],
  ])('%s', (_, wrong, message) => {
    expect(wrong).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
    )
  })

  it.each([
    [{ SMOLFORGE_ISA: 'sse9' }, `Unknown instruction set 'sse9': choose one of ${t.ISAS.join(', ')}`],
    [{ SMOLFORGE_THREADS: 'many' }, 'SMOLFORGE_THREADS must be a whole number'],
  ])('in the environment: %o', (env, message) => {
    expect(inChild(env)).toContain(message)
  })

  it('SMOLFORGE_ISA and SMOLFORGE_THREADS are obeyed, and the process ends by itself', () => {
    expect(inChild({ SMOLFORGE_ISA: 'portable', SMOLFORGE_THREADS: '3' })).toContain('portable 3')
  })

  it('numbers that are not finite go through without a crash', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const p = t.parameter(new Float32Array(16).fill(bad), [4, 4])
      const loss = t.step(() => {
        const h = t.rmsNorm(t.linear(p, p), t.slice(t.reshape(p, [16]), 0, 4), 1e-5)
        const q = t.reshape(t.swiglu(h, h), [1, 4, 4])
        const a = t.reshape(t.attention(q, q, q, { heads: 2, kvHeads: 2 }), [4, 4])
        const { loss } = t.headLoss(
          a,
          p,
          t.tensor(Int32Array.of(0, 1, 2, 3), [4]),
          new Float32Array(4).fill(1),
        )
        loss.backward()
        return loss.item()
      })
      expect(loss).toBeNaN()
      t.adamwStep([{ parameter: p, m: t.zeros([4, 4]), v: t.zeros([4, 4]) }], {
        learningRate: 1,
        beta1: 0.9,
        beta2: 0.9,
        epsilon: 1e-8,
        weightDecay: 0,
        step: 1,
        gradientScale: 1,
      })
    }
  })
})

function linearRun(m: number, n: number, k: number) {
  const x = t.parameter(noise(m * k, 'x'), [m, k])
  const w = t.parameter(noise(n * k, 'w'), [n, k])
  const values = t.step(() => {
    const y = t.linear(x, w)
    t.sum(t.mul(y, t.tensor(noise(m * n, 'slopes'), [m, n]))).backward()
    return y.read()
  })
  const gradients = [x.grad!.read(), w.grad!.read()]
  x.free()
  w.free()
  return { values, gradients }
}

/** Gradients by q, k, v at the last positions, everything before them being another document. */
function attentionGradients(time: number, last: number): Float32Array[] {
  const shapes = [72, 36, 36]
  const tail = (width: number, i: number) => {
    const all = new Float32Array(time * width).fill(0.3)
    all.set(noise(last * width, `tail ${i}`), (time - last) * width)
    return all
  }
  const [q, k, v] = shapes.map((width, i) => t.parameter(tail(width, i), [1, time, width]))
  const segments = Int32Array.from({ length: time }, (_, i) => (i < time - last ? 0 : 1))
  const slopes = new Float32Array(time * 72)
  slopes.set(noise(last * 72, 'attention slopes'), (time - last) * 72)
  t.step(() => {
    const y = t.attention(q, k, v, { heads: 4, kvHeads: 2, segments: t.tensor(segments, [1, time]) })
    t.sum(t.mul(y, t.tensor(slopes, y.shape))).backward()
  })
  return [q, k, v].map((x, i) => {
    const gradient = x.grad!.read() as Float32Array
    x.free()
    return gradient.subarray((time - last) * shapes[i])
  })
}

function headRun(x: Float32Array, w: Float32Array, targets: Int32Array, hidden: number) {
  const rows = targets.length
  const [px, pw] = [t.parameter(x, [rows, hidden]), t.parameter(w, [w.length / hidden, hidden])]
  const nll = t.step(() => {
    const { loss, nll } = t.headLoss(px, pw, t.tensor(targets, [rows]), new Float32Array(rows).fill(1))
    loss.backward()
    return nll.read()
  })
  const [dx, dw] = [px.grad!.read(), pw.grad!.read()]
  px.free()
  pw.free()
  return { nll, dx, dw }
}

/** A layer of everything: loss and all gradients. */
function modelStep(configure: () => void = () => {}): Float32Array[] {
  configure()
  const [time, width, vocab] = [96, 128, 700]
  const shapes = [
    [vocab, width],
    [width],
    [width, width],
    [width / 2, width],
    [width / 2, width],
    [300, width],
    [300, width],
    [width, 300],
  ]
  const parameters = shapes.map((shape, i) =>
    t.parameter(
      noise(
        shape.reduce((a, b) => a * b, 1),
        `weight ${i}`,
      ).map((value) => value / 8),
      shape,
    ),
  )
  const [table, norm, wq, wk, wv, gate, up, down] = parameters
  const ids = Int32Array.from({ length: 2 * time }, (_, i) => (i * 31) % vocab)
  const loss = t.step(() => {
    const x = t.embedding(table, t.tensor(ids, [2, time]))
    const h = t.rmsNorm(x, norm, 1e-5)
    const turn = { headDim: 32, theta: 1e4 }
    const [q, k] = [t.rope(t.linear(h, wq), turn), t.rope(t.linear(h, wk), turn)]
    const a = t.add(x, t.attention(q, k, t.linear(h, wv), { heads: 4, kvHeads: 2 }))
    const y = t.add(a, t.linear(t.swiglu(t.linear(a, gate), t.linear(a, up)), down))
    const flat = t.reshape(y, [2 * time, width])
    const { loss } = t.headLoss(flat, table, t.tensor(ids, [2 * time]), new Float32Array(2 * time).fill(0.01))
    loss.backward()
    return loss.read() as Float32Array
  })
  const result = [loss, ...parameters.map((parameter) => parameter.grad!.read() as Float32Array)]
  for (const parameter of parameters) parameter.free()
  return result
}

function smallStep(): t.Tensor {
  const w = t.parameter(noise(64 * 64, 'small'), [64, 64])
  const kept = t.step(() => {
    const y = t.linear(w, w)
    t.sum(t.silu(y)).backward()
    return y
  })
  w.free()
  return kept
}

function inChild(env: Record<string, string>): string {
  const source = `import { engineInfo, inference, linear, zeros } from '${new URL('../../src/tensor/index.ts', import.meta.url)}'
    try {
      const { isa, threads } = engineInfo()
      inference(() => linear(zeros([300, 300]), zeros([300, 300])).read())
      console.log(isa, threads)
    } catch (error) { console.log(error.message) }`
  return execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 20_000,
  })
}

function dataUrl(source: string): string {
  return JSON.stringify(`data:text/javascript,${encodeURIComponent(source)}`)
}

function expectClose(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number) {
  expect(got.length).toBe(wanted.length)
  let scale = 1
  for (let i = 0; i < wanted.length; i++) scale = Math.max(scale, Math.abs(wanted[i]))
  for (let i = 0; i < wanted.length; i++) {
    if (!(Math.abs(got[i] - wanted[i]) <= tolerance * scale)) {
      expect.fail(`element ${i} is ${got[i]}, not ${wanted[i]}`)
    }
  }
}
