/** fastText's format and arithmetic once more, slow and plain: supervised models without quantisation. */

export interface SlowModel {
  dimensions: number
  wordNgrams: number
  loss: 1 | 2 | 3 | 4
  buckets: number
  shortest: number
  longest: number
  /** Words and their counts, commonest first. */
  words: [string, number][]
  labels: [string, number][]
  /** [words + buckets][dimensions] and [labels][dimensions]. */
  input: number[][]
  output: number[][]
}

export function encodeModel(model: SlowModel): Buffer {
  const parts: Buffer[] = []
  const i32 = (...values: number[]) => {
    for (const value of values) {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32LE(value)
      parts.push(bytes)
    }
  }
  const i64 = (...values: number[]) => {
    for (const value of values) {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(value))
      parts.push(bytes)
    }
  }
  const { dimensions, wordNgrams, loss, buckets, shortest, longest, words, labels } = model
  i32(793712314, 12, dimensions, 5, 5, 1, 5, wordNgrams, loss, 3, buckets, shortest, longest, 100)
  parts.push(Buffer.from(new Float64Array([1e-4]).buffer))
  i32(words.length + labels.length, words.length, labels.length)
  i64(1000, -1)
  for (const [type, entries] of [words, labels].entries()) {
    for (const [word, count] of entries) {
      parts.push(Buffer.from(`${word}\0`))
      i64(count)
      parts.push(Buffer.from([type]))
    }
  }
  for (const matrix of [model.input, model.output]) {
    parts.push(Buffer.from([0]))
    i64(matrix.length, dimensions)
    parts.push(Buffer.from(Float32Array.from(matrix.flat()).buffer))
  }
  return Buffer.concat(parts)
}

/** All labels with their probabilities as fastText tells them, likeliest first. */
export function slowPredict(model: SlowModel, text: string): [string, number][] {
  const tokens = text.split(/[ \n\r\t\v\f\0]+/).filter((token) => token !== '')
  const stop = tokens.indexOf('</s>')
  const line = [...(stop < 0 ? tokens : tokens.slice(0, stop)), '</s>']
  const rows: number[] = []
  const hashes: number[] = []
  for (const token of line) {
    if (model.labels.some(([label]) => label === token) || token.startsWith('__label__')) continue
    const word = model.words.findIndex(([known]) => known === token)
    if (word >= 0) rows.push(word)
    if (token !== '</s>') rows.push(...subwordRows(model, token))
    hashes.push(hash(Buffer.from(token)))
  }
  hashes.forEach((first, start) => {
    let code = BigInt.asUintN(64, BigInt(first | 0))
    for (const next of hashes.slice(start + 1, start + model.wordNgrams)) {
      code = BigInt.asUintN(64, code * 116049371n + BigInt(next | 0))
      rows.push(model.words.length + Number(code % BigInt(model.buckets)))
    }
  })
  if (rows.length === 0) return []
  const hidden = Array.from({ length: model.dimensions }, (_, d) => {
    return rows.reduce((sum, row) => sum + model.input[row][d], 0) / rows.length
  })
  const scores = model.output.map((row) => dot(row, hidden))
  const found = model.labels.map(([label], i): [string, number] => [
    label,
    probability(model, scores, hidden, i),
  ])
  return found.sort((a, b) => b[1] - a[1])
}

function subwordRows(model: SlowModel, word: string): number[] {
  const characters = [...`<${word}>`]
  const rows: number[] = []
  characters.forEach((_, start) => {
    for (let length = 1; length <= model.longest && start + length <= characters.length; length++) {
      const onlyAnEnd = length === 1 && (start === 0 || start + 1 === characters.length)
      if (length < model.shortest || onlyAnEnd) continue
      const code = hash(Buffer.from(characters.slice(start, start + length).join('')))
      rows.push(model.words.length + (code % model.buckets))
    }
  })
  return rows
}

/** FNV-1a over bytes taken as signed. */
function hash(bytes: Buffer): number {
  return bytes.reduce((code, byte) => Math.imul(code ^ ((byte << 24) >> 24), 16777619) >>> 0, 2166136261)
}

function probability(model: SlowModel, scores: number[], hidden: number[], label: number): number {
  if (model.loss === 3) {
    const sum = scores.reduce((total, score) => total + Math.exp(score), 0)
    return Math.exp(scores[label]) / sum + 1e-5
  }
  if (model.loss === 1) return huffman(model, hidden, label)
  return tabledSigmoid(scores[label]) + 1e-5
}

/** The product of the turns on the way from the root of a Huffman tree of the labels' counts. */
function huffman(model: SlowModel, hidden: number[], label: number): number {
  const counts = model.labels.map(([, count]) => count)
  const open = counts.map((count, node) => ({ count, node })).reverse()
  const parents = new Map<number, { node: number; right: boolean }>()
  // Leaves first among equals, unless an inner node is as rare: fastText takes a leaf only when it is rarer.
  const inner: { count: number; node: number }[] = []
  let next = counts.length
  while (open.length + inner.length > 1) {
    const take = () =>
      (open.length > 0 && (inner.length === 0 || open[0].count < inner[0].count) ? open : inner).shift()!
    const [left, right] = [take(), take()]
    parents.set(left.node, { node: next, right: false })
    parents.set(right.node, { node: next, right: true })
    inner.push({ count: left.count + right.count, node: next++ })
  }
  let logarithm = 0
  for (let at = parents.get(label); at; at = parents.get(at.node)) {
    const turn = 1 / (1 + Math.exp(-dot(model.output[at.node - counts.length], hidden)))
    logarithm += Math.log((at.right ? turn : 1 - turn) + 1e-5)
  }
  return Math.exp(logarithm)
}

/** fastText looks sigmoids up among 512 steps from -8 to 8. */
function tabledSigmoid(x: number): number {
  if (x < -8) return 0
  if (x > 8) return 1
  const step = Math.floor(((x + 8) * 512) / 16)
  return 1 / (1 + Math.exp(-((step * 16) / 512 - 8)))
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0)
