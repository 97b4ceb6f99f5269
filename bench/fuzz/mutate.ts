import type { Random } from '../../src/random/random.ts'

/**
 * A damaged copy of a file's bytes: one to four of a flipped bit, a changed byte, a length or offset replaced by one
 * that readers stumble over, bytes cut out, doubled, inserted or taken from another file, an early end.
 */
export function mutate(seed: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = Uint8Array.from(seed)
  for (let left = 1 + random.int(4); left > 0 && bytes.length > 0; left--) {
    bytes = random.pick(mutations)(bytes, random, random.pick(others))
  }
  return bytes
}

type Bytes = Uint8Array<ArrayBuffer>
type Mutation = (bytes: Bytes, random: Random, other: Uint8Array) => Bytes

const mutations: readonly Mutation[] = [
  flipBit,
  setByte,
  setInteger,
  setInteger,
  setDigits,
  cut,
  double,
  splice,
  end,
]

function flipBit(bytes: Bytes, random: Random): Bytes {
  bytes[random.int(bytes.length)] ^= 1 << random.int(8)
  return bytes
}

function setByte(bytes: Bytes, random: Random): Bytes {
  bytes[random.int(bytes.length)] =
    random.int(2) === 0 ? random.int(256) : random.pick([0, 1, 9, 0x7f, 0x80, 0xff])
  return bytes
}

/** Where counts, lengths and offsets go wrong: around zero, and around what 32, 53 and 64 bits hold. */
const awkward = [0n, 1n, 2n, 255n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n].concat([
  2n ** 53n + 1n,
  2n ** 60n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 8n,
  2n ** 64n - 1n,
])

function setInteger(bytes: Bytes, random: Random): Bytes {
  const width = random.pick([2, 4, 8])
  if (bytes.length < width) return bytes
  const at = random.int(bytes.length - width + 1)
  const value = random.int(3) === 0 ? BigInt(random.int(2 * bytes.length)) : random.pick(awkward)
  for (let i = 0; i < width; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn)
  return bytes
}

/** Another number in a text such as JSON; elsewhere a few ASCII digits. */
function setDigits(bytes: Bytes, random: Random): Bytes {
  let from = random.int(bytes.length)
  while (from < bytes.length && !isDigit(bytes[from])) from++
  let to = from
  while (to < bytes.length && isDigit(bytes[to])) to++
  const number = random.pick([
    ...awkward.map(String),
    '-1',
    '1e308',
    '1e999',
    '0.5',
    '-0',
    'null',
    '[]',
    '""',
  ])
  return joined(bytes.subarray(0, from), Buffer.from(number), bytes.subarray(to))
}

function cut(bytes: Bytes, random: Random): Bytes {
  const [from, to] = range(bytes, random)
  return joined(bytes.subarray(0, from), bytes.subarray(to))
}

function double(bytes: Bytes, random: Random): Bytes {
  const [from, to] = range(bytes, random)
  return joined(bytes.subarray(0, to), bytes.subarray(from))
}

function splice(bytes: Bytes, random: Random, other: Uint8Array): Bytes {
  const [from, to] = range(other, random)
  const at = random.int(bytes.length + 1)
  const after = random.int(2) === 0 ? at : Math.min(bytes.length, at + to - from)
  return joined(bytes.subarray(0, at), other.subarray(from, to), bytes.subarray(after))
}

function end(bytes: Bytes, random: Random): Bytes {
  return bytes.slice(0, random.int(bytes.length))
}

/** Mostly short. */
function range(bytes: Uint8Array, random: Random): [from: number, to: number] {
  const from = random.int(bytes.length)
  const longest = random.int(4) === 0 ? bytes.length : 32
  return [from, Math.min(bytes.length, from + 1 + random.int(longest))]
}

function joined(...parts: Uint8Array[]): Bytes {
  return new Uint8Array(Buffer.concat(parts))
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
