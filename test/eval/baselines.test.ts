import { describe, expect, it } from 'vitest'
import { baselines, compressionBaseline, kneserNeyBaseline } from '../../src/eval/index.ts'
import { Random } from '../../src/random/random.ts'

const END = 0

/** Modified Kneser-Ney, straight from the formulas: string keys, no thrift. */
class SlowKneserNey {
  readonly order: number
  readonly vocabSize: number
  readonly counts: Map<string, number>[] = []
  readonly discounts: number[][] = []

  constructor(training: readonly (readonly number[])[], order: number, vocabSize: number) {
    this.order = order
    this.vocabSize = vocabSize
    const full = new Map<string, number>()
    for (const document of training) {
      const padded = [...new Array(order - 1).fill(END), ...document, END]
      for (let i = order; i <= padded.length; i++) add(full, padded.slice(i - order, i).join())
    }
    this.counts[order] = full
    for (let n = order - 1; n >= 1; n--) {
      const continuations = new Map<string, number>()
      for (const gram of this.counts[n + 1].keys()) add(continuations, gram.split(',').slice(1).join())
      this.counts[n] = continuations
    }
    for (let n = 1; n <= order; n++) {
      const having = (k: number) => [...this.counts[n].values()].filter((count) => count === k).length
      const [n1, n2, n3, n4] = [1, 2, 3, 4].map(having)
      const y = n1 / (n1 + 2 * n2)
      if (n1 * n2 * n3 === 0) {
        this.discounts[n] = [0, 0.5, 1, 1.5]
        continue
      }
      this.discounts[n] = [0, 1 - (2 * y * n2) / n1, 2 - (3 * y * n3) / n2, 3 - (4 * y * n4) / n3]
    }
  }

  probability(history: readonly number[], token: number, n = this.order): number {
    if (n === 0) return 1 / this.vocabSize
    const context = n === 1 ? [] : history.slice(-(n - 1))
    const lower = this.probability(history, token, n - 1)
    let total = 0
    let keptBack = 0
    for (const [gram, count] of this.counts[n]) {
      if (gram.split(',').slice(0, -1).join() !== context.join()) continue
      total += count
      keptBack += this.discounts[n][Math.min(count, 3)]
    }
    if (total === 0) return lower
    const count = this.counts[n].get([...context, token].join()) ?? 0
    const discounted = count === 0 ? 0 : count - this.discounts[n][Math.min(count, 3)]
    return discounted / total + (keptBack / total) * lower
  }
}

function add(map: Map<string, number>, key: string) {
  map.set(key, (map.get(key) ?? 0) + 1)
}

/** Text-like tokens: each depends on the one before, some are much more frequent. */
function someDocuments(random: Random, count: number, length: number): number[][] {
  return Array.from({ length: count }, () => {
    let last = 1
    return Array.from({ length: 1 + random.int(length) }, () => {
      last = random.float() < 0.6 ? 1 + ((last * 7) % 11) : 1 + Math.floor(11 * random.float() ** 2)
      return last
    })
  })
}

describe('the Kneser-Ney baseline', () => {
  const random = new Random('baselines test')
  const training = someDocuments(random, 40, 60)
  const heldOut = someDocuments(random, 8, 30)
  const ids = (documents: number[][]) => documents.map((document) => Uint32Array.from(document))
  const options = { vocabSize: 12, endOfTextId: END }

  it.each([1, 2, 3, 5])('of order %i gives the bits of the textbook formulas', async (order) => {
    const slow = new SlowKneserNey(training, order, 12)
    const { bits, trainingTokens } = await kneserNeyBaseline([ids(training)], ids(heldOut), {
      ...options,
      order,
    })
    expect(trainingTokens).toBe(training.flat().length)
    for (const [i, document] of heldOut.entries()) {
      const padded = [...new Array(order).fill(END), ...document]
      const expected = document.reduce(
        (sum, token, at) => sum - Math.log2(slow.probability(padded.slice(0, order + at), token)),
        0,
      )
      expect(bits[i]).toBeCloseTo(expected, 6)
    }
  })

  it('spreads exactly one over the next tokens after any context', async () => {
    const next = Array.from({ length: 12 }, (_, token) => Uint32Array.of(3, 10, 5, token))
    const before = [Uint32Array.of(3, 10, 5)]
    const { bits } = await kneserNeyBaseline([ids(training)], [...before, ...next], options)
    const sum = bits.subarray(1).reduce((total, value) => total + 2 ** -(value - bits[0]), 0)
    expect(sum).toBeCloseTo(1, 9)
  })

  it('counts no more tokens than it is allowed to', async () => {
    const { trainingTokens } = await kneserNeyBaseline([ids(training)], ids(heldOut), {
      ...options,
      maxTrainingTokens: 200,
    })
    expect(trainingTokens).toBeLessThanOrEqual(200)
    expect(trainingTokens).toBeGreaterThan(100)
  })

  it('refuses a vocabulary that 16-bit ids cannot hold', async () => {
    await expect(kneserNeyBaseline([], [], { vocabSize: 70000, endOfTextId: 0 })).rejects.toMatchObject({
      code: 'usage',
    })
  })
})

describe('the compression baselines', () => {
  const random = new Random('compression test')
  const noise = (length: number) =>
    Array.from({ length }, () => String.fromCharCode(97 + random.int(26))).join('')

  it('know the training text and do not know what is not in it', async () => {
    const known = noise(20_000)
    const training = [noise(100_000), known, noise(100_000)]
    const seen = await compressionBaseline(training, [known])
    const unseen = await compressionBaseline(training, [noise(20_000)])
    expect(seen.zstd.bitsPerByte).toBeLessThan(0.02)
    expect(unseen.zstd.bitsPerByte).toBeGreaterThan(4.6)
    expect(unseen.zstd.bitsPerByte).toBeLessThan(5.2)
    for (const { xz } of [seen, unseen]) if (xz === undefined) return
    expect(seen.xz?.bitsPerByte).toBeLessThan(0.1)
    expect(unseen.xz?.bitsPerByte).toBeGreaterThan(4.6)
  })

  it('say how many bytes of training text they were given', async () => {
    const { zstd, bytes } = await compressionBaseline([noise(5000), noise(5000)], ['held out, ä'], {
      maxPrefixBytes: 6000,
    })
    expect(zstd.prefixBytes).toBe(6000)
    expect(bytes).toBe(Buffer.byteLength('held out, ä'))
  })
})

it('the table of baselines gives each domain its own bytes', async () => {
  const encodeBatch = (texts: readonly string[]) => texts.map((text) => Uint32Array.from(Buffer.from(text)))
  const words = 'the cat sat on the mat and the dog lay by the door '
  const domains = {
    prose: { training: [words.repeat(20)], heldOut: [words, 'the cat and the dog '] },
    code: { training: ['x = y + 1; '.repeat(50)], heldOut: ['y = x + 1; '] },
  }
  const training = Object.values(domains).map((domain) => encodeBatch(domain.training))
  const lines = await baselines(domains, training, { vocabSize: 256, endOfTextId: 0, encodeBatch })
  expect(lines.map((line) => [line.domain, line.bytes])).toEqual([
    ['prose', words.length + 20],
    ['code', 11],
  ])
  for (const line of lines) {
    expect(line.kneserNey.trainingTokens).toBe(words.length * 20 + 550)
    expect(line.kneserNey.bitsPerByte).toBeGreaterThan(0)
    expect(line.kneserNey.bitsPerByte).toBeLessThan(4)
  }
})
