/**
 * A seeded stream of random numbers whose whole state is four 32-bit words: saved in checkpoints, restored exactly.
 * The generator is xoshiro128** (Blackman and Vigna 2018), seeded by SplitMix32.
 */
export class Random {
  readonly #s = new Uint32Array(4)

  constructor(seed: number | string | readonly number[]) {
    if (typeof seed === 'object') {
      if (seed.length !== 4)
        throw new RangeError(`a saved random state has 4 words, this one has ${seed.length}`)
      this.#s.set(seed)
      return
    }
    let x = typeof seed === 'number' ? seed >>> 0 : hashString(seed)
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) >>> 0
      let z = x
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      this.#s[i] = (z ^ (z >>> 16)) >>> 0
    }
  }

  /** The whole state: `new Random(state)` goes on from here. */
  get state(): number[] {
    return [...this.#s]
  }

  /** A stream of its own for one purpose, so that a new consumer does not shift the numbers of the others. */
  static derive(seed: number, purpose: string): Random {
    return new Random(`${seed}/${purpose}`)
  }

  uint32(): number {
    const s = this.#s
    const product = Math.imul(s[1], 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const t = s[1] << 9
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = (s[3] << 11) | (s[3] >>> 21)
    return result
  }

  /** Uniform in [0, 1) with 53 random bits. */
  float(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992
  }

  /** A whole number in [0, bound). */
  int(bound: number): number {
    return Math.floor(this.float() * bound)
  }

  /** A whole number in [low, high], both included. */
  between(low: number, high: number): number {
    return low + this.int(high - low + 1)
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.float())) * Math.cos(2 * Math.PI * this.float())
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)]
  }

  /** Fisher and Yates, in place. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const swapped = items[i]
      items[i] = items[j]
      items[j] = swapped
    }
    return items
  }
}

/** FNV-1a over UTF-16 units: only to seed streams by name. */
function hashString(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
