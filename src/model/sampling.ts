import type { Random } from '../random/random.ts'

export interface SamplingOptions {
  /** 0 takes the most likely token; 1 samples from the model's own distribution. */
  temperature: number
  /** Sample from the fewest tokens whose probabilities reach this sum (Holtzman et al. 2020). */
  topP?: number
  /** Sample from this many most likely tokens. */
  topK?: number
  /** Leave out what is less likely than this share of the most likely token's probability (Nguyen et al. 2024). */
  minP?: number
  /**
   * Above 1, tokens of the prompt and the text so far become less likely: positive logits are divided by it, negative
   * ones multiplied (Keskar et al. 2019, as in transformers). With temperature 0 too.
   */
  repetitionPenalty?: number
}

/**
 * The id of the next token from its logits [vocab]. Ties go to the lowest id. As in transformers the penalty comes first,
 * then temperature, top-k, top-p of what is left, and min-p.
 */
export function sampleToken(
  logits: Float32Array,
  options: SamplingOptions,
  random: Random,
  seen: Iterable<number> = [],
): number {
  const { temperature, topK = logits.length, topP = 1, minP = 0, repetitionPenalty = 1 } = options
  const scores = repetitionPenalty === 1 ? logits : penalised(logits, repetitionPenalty, seen)
  if (temperature <= 0) return argmax(scores)
  const restricted = topK < scores.length || topP < 1
  const ids = restricted ? topIds(scores, Math.max(1, topK)) : undefined
  const count = ids?.length ?? scores.length
  const at = (i: number) => scores[ids ? ids[i] : i]
  const highest = ids ? at(0) : scores[argmax(scores)]
  const weights = new Float64Array(count)
  let total = 0
  for (let i = 0; i < count; i++) {
    weights[i] = Math.exp((at(i) - highest) / temperature)
    total += weights[i]
  }
  let kept = count
  if (topP < 1) {
    let sum = 0
    for (kept = 0; kept < count && sum < topP * total; kept++) sum += weights[kept]
    total = sum
  }
  // The most likely token weighs 1.
  if (minP > 0) {
    total = 0
    for (let i = 0; i < kept; i++) {
      if (weights[i] < minP) weights[i] = 0
      total += weights[i]
    }
  }
  let left = random.float() * total
  let last = 0
  for (let i = 0; i < kept; i++) {
    if (weights[i] === 0) continue
    last = i
    left -= weights[i]
    if (left < 0) break
  }
  return ids ? ids[last] : last
}

/** The ids of the `count` largest values, largest first; ties go to the lowest id. */
export function topIds(values: Float32Array, count: number): number[] {
  const inOrder = (a: number, b: number) => values[b] - values[a] || a - b
  if (count >= values.length) return Array.from(values.keys()).sort(inOrder)
  // Only what is not below the count-th largest value needs a place in the order.
  const limit = nthLargest(values, count)
  const ids: number[] = []
  for (let id = 0; id < values.length; id++) if (values[id] >= limit) ids.push(id)
  return ids.sort(inOrder).slice(0, count)
}

/** The count-th largest value. A few of many: a heap of the largest so far is far cheaper than sorting all, unless they are many. */
function nthLargest(values: Float32Array, count: number): number {
  if (count > 1024) return Float32Array.from(values).sort()[values.length - count]
  const heap = values.slice(0, count).sort()
  for (let i = count; i < values.length; i++) {
    if (values[i] <= heap[0]) continue
    const value = values[i]
    let at = 0
    for (let child = 1; child < count; child = 2 * at + 1) {
      if (child + 1 < count && heap[child + 1] < heap[child]) child++
      if (heap[child] >= value) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = value
  }
  return heap[0]
}

function penalised(logits: Float32Array, penalty: number, seen: Iterable<number>): Float32Array {
  const scores = Float32Array.from(logits)
  for (const id of new Set(seen)) scores[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty
  return scores
}

function argmax(values: Float32Array): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i
  return best
}
