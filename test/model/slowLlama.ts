import type { Llama } from '../../src/model/index.ts'

type Matrix = number[][]

/** The forward pass by the book, in f64 and plain loops: logits of every position of one text. */
export function slowLogits(llama: Llama, ids: ArrayLike<number>): Matrix {
  const { config } = llama
  const headDim = config.hiddenSize / config.numAttentionHeads
  const weight = (name: string): Matrix => {
    const found = llama.parameters.get(name)!
    const values = found.read()
    const columns = found.shape.at(-1)!
    return Array.from({ length: found.size / columns }, (_, r) => [
      ...values.subarray(r * columns, (r + 1) * columns),
    ])
  }
  const linear = (x: Matrix, w: Matrix) =>
    x.map((row) => w.map((out) => out.reduce((sum, value, i) => sum + value * row[i], 0)))
  const norm = (x: Matrix, name: string) => {
    const [g] = weight(name)
    return x.map((row) => {
      const mean = row.reduce((sum, value) => sum + value * value, 0) / row.length
      return row.map((value, i) => (value / Math.sqrt(mean + config.rmsNormEps)) * g[i])
    })
  }
  const rope = (x: Matrix) =>
    x.map((row, position) =>
      row.map((value, i) => {
        const j = i % headDim
        const half = headDim / 2
        const angle = position * config.ropeTheta ** (-(2 * (j % half)) / headDim)
        const partner = j < half ? -row[i + half] : row[i - half]
        return value * Math.cos(angle) + partner * Math.sin(angle)
      }),
    )
  const plus = (a: Matrix, b: Matrix) => a.map((row, r) => row.map((value, i) => value + b[r][i]))

  const embed = weight('model.embed_tokens.weight')
  let x = Array.from(ids, (id) => [...embed[id]])
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const at = `model.layers.${layer}`
    const h = norm(x, `${at}.input_layernorm.weight`)
    const q = rope(linear(h, weight(`${at}.self_attn.q_proj.weight`)))
    const k = rope(linear(h, weight(`${at}.self_attn.k_proj.weight`)))
    const v = linear(h, weight(`${at}.self_attn.v_proj.weight`))
    const mixed = q.map((row, i) => {
      const out = new Array<number>(config.hiddenSize).fill(0)
      for (let head = 0; head < config.numAttentionHeads; head++) {
        const kv = Math.floor((head * config.numKeyValueHeads) / config.numAttentionHeads)
        const scores = k.slice(0, i + 1).map((key) => {
          let dot = 0
          for (let d = 0; d < headDim; d++) dot += row[head * headDim + d] * key[kv * headDim + d]
          return Math.exp(dot / Math.sqrt(headDim))
        })
        const total = scores.reduce((a, b) => a + b, 0)
        for (const [j, score] of scores.entries()) {
          for (let d = 0; d < headDim; d++)
            out[head * headDim + d] += (score / total) * v[j][kv * headDim + d]
        }
      }
      return out
    })
    x = plus(x, linear(mixed, weight(`${at}.self_attn.o_proj.weight`)))
    const f = norm(x, `${at}.post_attention_layernorm.weight`)
    const gate = linear(f, weight(`${at}.mlp.gate_proj.weight`))
    const up = linear(f, weight(`${at}.mlp.up_proj.weight`))
    const act = gate.map((row, r) => row.map((g, i) => (g / (1 + Math.exp(-g))) * up[r][i]))
    x = plus(x, linear(act, weight(`${at}.mlp.down_proj.weight`)))
  }
  return linear(norm(x, 'model.norm.weight'), config.tieWordEmbeddings ? embed : weight('lm_head.weight'))
}

export function logSoftmax(row: readonly number[]): number[] {
  const highest = Math.max(...row)
  const total = Math.log(row.reduce((sum, value) => sum + Math.exp(value - highest), 0)) + highest
  return row.map((value) => value - total)
}
