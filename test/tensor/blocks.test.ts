import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { loadAddon } from '../../src/native/addon.ts'
import {
  configure,
  embedding,
  engineInfo,
  engineMemory,
  inference,
  linear,
  mapBlocks,
  parameter,
  step,
  sum,
  tensor,
  tokenLogProbs,
} from '../../src/tensor/index.ts'

const { quantize, dequantize } = loadAddon<{
  quantize(format: string, values: Float32Array): Uint8Array
  dequantize(format: string, bytes: Uint8Array, count: number): Float32Array
}>()
const folder = mkdtempSync(join(tmpdir(), 'blocks-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => {
  configure({ precision: 'f32' })
})

const [outputs, inputs] = [40, 512]
const noise = (size: number, seed: number) =>
  Float32Array.from({ length: size }, (_, i) => ((i * 7919 + seed * 104_729) % 1009) / 504.5 - 1)
const formats = ['F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q4_K', 'Q6_K']

/** A weight in a file, after some other bytes, and the numbers that it means. */
function stored(format: string) {
  const bytes = quantize(format, noise(outputs * inputs, 1))
  const path = join(folder, format)
  writeFileSync(path, Buffer.concat([Buffer.alloc(7), bytes]))
  const place = { path, format, start: 7, shape: [outputs, inputs] as const }
  return { place, values: dequantize(format, bytes, outputs * inputs) }
}

const far = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  const largest = Math.max(...Array.from(b, Math.abs))
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]))) / largest
}

describe.each(formats)('a weight of %s that stays in its file', (format) => {
  it('gives the products, rows and scores of the numbers that it means', () => {
    const { place, values } = stored(format)
    const weight = mapBlocks(place)
    const plain = tensor(values, [outputs, inputs])
    expect(far(weight.read(), values)).toBeLessThan(1e-6)
    for (const rows of [1, 3, 20]) {
      const x = tensor(noise(rows * inputs, 2), [rows, inputs])
      const targets = tensor(
        Int32Array.from({ length: rows }, (_, i) => (i % 7 === 6 ? -1 : i)),
        [rows],
      )
      const both = (w: typeof weight) =>
        inference(() => [linear(x, w).read(), tokenLogProbs(x, w, targets).read()])
      const [[products, scores], [wantedProducts, wantedScores]] = [both(weight), both(plain)]
      expect(far(products, wantedProducts)).toBeLessThan(1e-5)
      expect(far(scores, wantedScores)).toBeLessThan(1e-5)
      configure({ precision: 'bf16' })
      expect(far(both(weight)[0], wantedProducts)).toBeLessThan(0.01)
      configure({ precision: 'f32' })
      for (const each of [x, targets]) each.free()
    }
    const ids = tensor(Int32Array.of(3, 39, 3), [3])
    const rows = inference(() => embedding(weight, ids).read())
    expect(
      far(
        rows,
        inference(() => embedding(plain, ids).read()),
      ),
    ).toBeLessThan(1e-6)
    for (const each of [weight, plain, ids]) each.free()
  })

  it('can have its rows in another order', () => {
    const { place, values } = stored(format)
    const order = Uint32Array.from({ length: outputs }, (_, row) => (row * 3) % outputs)
    const weight = mapBlocks({ ...place, rows: order })
    const row = (at: number) => values.subarray(at * inputs, (at + 1) * inputs)
    const read = weight.read() as Float32Array
    for (const [i, from] of order.entries()) {
      expect(far(read.subarray(i * inputs, (i + 1) * inputs), row(from))).toBeLessThan(1e-6)
    }
    weight.free()
  })
})

describe('a weight in its file', () => {
  it('is refused where the file is shorter, missing or of another shape', () => {
    const { place } = stored('Q4_1')
    const shape = (outputs: number, inputs: number) => ({ ...place, shape: [outputs, inputs] as const })
    expect(() => mapBlocks({ ...place, start: 8 })).toThrow('ends after its file')
    expect(() => mapBlocks({ ...place, start: 2 ** 53 })).toThrow('ends after its file')
    expect(() => mapBlocks({ ...place, path: join(folder, 'none') })).toThrow('none')
    expect(() => mapBlocks(shape(outputs, 500))).toThrow('no multiple of 32')
    expect(() => mapBlocks({ ...place, format: 'Q3_K' })).toThrow("no block format 'Q3_K'")
    expect(() => mapBlocks({ ...place, rows: Uint32Array.of(1) })).toThrow('order of the rows')
    expect(() => mapBlocks({ ...place, rows: new Uint32Array(outputs).fill(outputs) })).toThrow('order')
  })

  it('has the rows of a prompt rounded to int8 where inference says so, and nowhere else', () => {
    const { place, values } = stored('Q4_1')
    const weight = mapBlocks(place)
    const plain = tensor(values, [outputs, inputs])
    const x = tensor(noise(20 * inputs, 2), [20, inputs])
    const product = (w = weight) => linear(x, w).read()
    const exact = inference(() => product(plain))
    configure({ precision: 'bf16' })
    const before = inference(() => product())
    const [within, nested, not] = inference(
      () => [product(), inference(() => product()), inference(() => product(), { int8: false })],
      { int8: true },
    )
    const after = inference(() => product())
    for (const each of [within, before]) expect(far(each, exact)).toBeLessThan(0.01)
    expect(nested).toEqual(within)
    for (const each of [not, after]) expect(each).toEqual(before)
    // Elsewhere products of bf16 are at least as fast.
    expect(far(within, before) > 0).toBe(engineInfo().isa === 'avx2')
    configure({ precision: 'f32' })
    const whole = inference(() => product(), { int8: true })
    expect(whole).toEqual(inference(() => product()))
    for (const each of [weight, plain, x]) each.free()
  })

  it('takes no memory of its own, and no gradient passes it', () => {
    const before = engineMemory().persistentBytes
    const weight = mapBlocks(stored('Q8_0').place)
    expect(engineMemory().persistentBytes).toBe(before)
    const x = parameter(noise(inputs, 2), [1, inputs])
    expect(() => step(() => sum(linear(x, weight)).backward())).toThrow('serves inference alone')
    for (const each of [weight, x]) each.free()
    expect(() => weight.read()).toThrow('freed')
  })
})
