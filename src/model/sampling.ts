import type { Random } from '../random/random.ts'

export interface SamplingOptions {
  /** 0 takes the most likely token; 1 samples from the model's own distribution. */
  temperature: number
  /** Sample from the fewest tokens whose probabilities reach this sum (Holtzman et al. 2020). */
  topP?: number
  /** Sample from this many most likely tokens. */
  topK?: number
}

/** The id of the next token from its logits [vocab]. Ties go to the lowest id. */
export function sampleToken(logits: Float32Array, options: SamplingOptions, random: Random): number {
  const { temperature, topK = logits.length, topP = 1 } = options
  if (temperature <= 0) return argmax(logits)
  const restricted = topK < logits.length || topP < 1
  const ids = restricted ? topIds(logits, Math.max(1, topK)) : undefined
  const count = ids?.length ?? logits.length
  const at = (i: number) => logits[ids ? ids[i] : i]
  const highest = ids ? at(0) : logits[argmax(logits)]
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
  let left = random.float() * total
  for (let i = 0; i < kept; i++) {
    left -= weights[i]
    if (left < 0) return ids ? ids[i] : i
  }
  return ids ? ids[kept - 1] : kept - 1
}

/** The ids of the `count` largest values, largest first; ties go to the lowest id. */
export function topIds(values: Float32Array, count: number): number[] {
  const ids = new Uint32Array(values.length)
  for (let i = 0; i < ids.length; i++) ids[i] = i
  const inOrder = (a: number, b: number) => values[b] - values[a] || a - b
  if (count >= values.length) return [...ids.sort(inOrder)]
  // Only what is not below the count-th largest value needs a place in the order.
  const limit = Float32Array.from(values).sort()[values.length - count]
  return [...ids.filter((id) => values[id] >= limit).sort(inOrder)].slice(0, count)
}

function argmax(values: Float32Array): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i
  return best
}
