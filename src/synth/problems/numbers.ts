import { fraction, gcd, num, type ProblemKind } from './kind.ts'
import { aPerson, aThing } from './words.ts'

/** Whole numbers, sequences, averages and chance. */
export const numbers: ProblemKind[] = [
  {
    name: 'prime factors',
    weight: 0.4,
    make(random) {
      const primes = [2, 2, 2, 3, 3, 5, 5, 7, 11, 13, 17, 19, 23, 29, 31]
      const factors = Array.from({ length: random.between(3, 4) }, () => random.pick(primes)).sort(
        (a, b) => a - b,
      )
      const value = factors.reduce((product, factor) => product * factor, 1)
      const steps: string[] = []
      let rest = value
      for (const factor of factors.slice(0, -1)) {
        steps.push(`${rest} / ${factor} = ${rest / factor}.`)
        rest /= factor
      }
      return {
        question: random.pick([
          `Write ${value} as a product of primes.`,
          `Find the prime factors of ${value}.`,
          `What is the prime factorisation of ${value}?`,
        ]),
        steps: [...steps, `${rest} is prime.`],
        answer: factors.join(' * '),
        check: () =>
          factors.every(isPrime) && factors.reduce((product, factor) => product * factor, 1) === value,
      }
    },
  },
  {
    name: 'is it prime',
    weight: 0.4,
    make(random) {
      const value = random.between(20, 900)
      const divisor = smallestDivisor(value)
      const prime = divisor === value
      const tried = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29].filter((p) => p * p <= value)
      return {
        question: random.pick([
          `Is ${value} a prime number?`,
          `Is ${value} prime?`,
          `Decide whether ${value} is prime.`,
        ]),
        steps: prime
          ? [`Primes with a square up to ${value} are ${tried.join(', ')}.`, `None of them divides ${value}.`]
          : [`${divisor} * ${value / divisor} = ${value}.`, `So it can be divided by ${divisor}.`],
        answer: prime ? 'yes' : 'no',
        check: () => isPrime(value) === prime,
      }
    },
  },
  {
    name: 'greatest common divisor',
    make(random) {
      const common = random.between(2, 24)
      const [a, b] = [common * random.between(2, 16), common * random.between(2, 16)]
      const steps: string[] = []
      let [x, y] = [Math.max(a, b), Math.min(a, b)]
      while (y > 0) {
        const times = Math.floor(x / y)
        steps.push(`${x} - ${times} * ${y} = ${x - times * y}.`)
        ;[x, y] = [y, x % y]
      }
      return {
        question: random.pick([
          `What is the greatest common divisor of ${a} and ${b}?`,
          `Find the largest number that divides both ${a} and ${b}.`,
          `Use Euclid's method to find gcd(${a}, ${b}).`,
        ]),
        steps: [random.pick(['Take the remainder again and again.', "With Euclid's method:"]), ...steps],
        answer: `${gcd(a, b)}`,
        check: () => {
          let best = 1
          for (let d = 1; d <= Math.min(a, b); d++) if (a % d === 0 && b % d === 0) best = d
          return best === gcd(a, b)
        },
      }
    },
  },
  {
    name: 'least common multiple',
    make(random) {
      const [a, b] = [random.between(3, 60), random.between(3, 48)]
      const divisor = gcd(a, b)
      const multiple = (a * b) / divisor
      const { name } = aPerson(random)
      return {
        question: random.pick([
          `What is the least common multiple of ${a} and ${b}?`,
          `Two lights flash every ${a} and every ${b} seconds. After how many seconds do they flash together?`,
          `${name} runs every ${a} days and swims every ${b} days, and did both today. In how many days again?`,
        ]),
        steps: [
          `The greatest common divisor of ${a} and ${b} is ${divisor}.`,
          `${a} * ${b} = ${a * b}.`,
          `${a * b} / ${divisor} = ${multiple}.`,
        ],
        answer: `${multiple}`,
        check: () => {
          let time = a
          while (time % b !== 0) time += a
          return time === multiple
        },
      }
    },
  },
  {
    name: 'divisibility',
    make(random) {
      const divisor = random.pick([3, 9])
      const value = random.int(2) === 0 ? divisor * random.between(400, 9000) : random.between(2000, 90000)
      const digits = [...`${value}`].map(Number)
      const sum = digits.reduce((total, digit) => total + digit, 0)
      const divides = sum % divisor === 0
      return {
        question: random.pick([`Is ${value} divisible by ${divisor}?`, `Does ${divisor} divide ${value}?`]),
        steps: [
          `The digits add up to ${digits.join(' + ')} = ${sum}.`,
          divides
            ? `${sum} / ${divisor} = ${sum / divisor}, a whole number.`
            : `${sum} is not a multiple of ${divisor}.`,
        ],
        answer: divides ? 'yes' : 'no',
        check: () => (value % divisor === 0) === divides,
      }
    },
  },
  {
    name: 'arithmetic sequence',
    make(random) {
      const first = random.between(1, 50)
      const step = random.between(2, 17) * (random.int(3) === 0 ? -1 : 1)
      const shown = Array.from({ length: random.between(3, 5) }, (_, i) => first + i * step)
      const nth = random.between(6, 40)
      const far = random.int(2) === 0
      const last = shown[shown.length - 1]
      const value = far ? first + (nth - 1) * step : last + step
      const by = step < 0 ? `less by ${-step}` : `more by ${step}`
      const list = shown.join(', ')
      return {
        question: far
          ? random.pick([
              `What is term number ${nth} of the sequence ${list}, ...?`,
              `A sequence begins ${list}. Find its ${nth}th term.`.replace(/\b(\d*)(1th|2th|3th)\b/, (all) =>
                ordinal(all),
              ),
            ])
          : random.pick([
              `What comes next: ${list}, ...?`,
              `Continue the sequence ${list} by one number.`,
              `Which number follows ${list}?`,
            ]),
        steps: [
          `Each number is ${by} than the one before.`,
          far
            ? `${first} + ${nth - 1} * ${step < 0 ? `(${step})` : step} = ${value}.`
            : step < 0
              ? `${last} - ${-step} = ${value}.`
              : `${last} + ${step} = ${value}.`,
        ],
        answer: `${value}`,
        check: () => {
          let term = first
          for (let i = 1; i < (far ? nth : shown.length + 1); i++) term += step
          return term === value
        },
      }
    },
  },
  {
    name: 'geometric sequence',
    weight: 0.5,
    make(random) {
      const [first, ratio] = [random.between(1, 60), random.between(2, 6)]
      const shown = Array.from({ length: 4 }, (_, i) => first * ratio ** i)
      const value = first * ratio ** 4
      const halving = random.int(3) === 0
      const list = halving ? [value, ...shown.slice(1).reverse()] : shown
      const next = halving ? first : value
      const last = list[list.length - 1]
      return {
        question: random.pick([
          `What is the next number: ${list.join(', ')}, ...?`,
          `Find the number after ${list.join(', ')}.`,
          `A sequence goes ${list.join(', ')}. How does it go on?`,
        ]),
        steps: [
          halving
            ? `Each number is the one before divided by ${ratio}.`
            : `Each number is ${ratio} times the one before.`,
          halving ? `${last} / ${ratio} = ${next}.` : `${last} * ${ratio} = ${next}.`,
        ],
        answer: `${next}`,
        check: () => (halving ? next * ratio === last : last * ratio === next),
      }
    },
  },
  {
    name: 'sum of a series',
    make(random) {
      const [first, n, even] = [random.between(1, 90), random.between(5, 60), random.int(2) === 0]
      const low = even ? 2 * first : first
      const high = even ? low + 2 * (n - 1) : low + n - 1
      const value = (n * (low + high)) / 2
      return {
        question: even
          ? random.pick([
              `Add the even numbers from ${low} to ${high}.`,
              `What do the even numbers from ${low} to ${high} add up to?`,
            ])
          : random.pick([
              `Add all whole numbers from ${low} to ${high}.`,
              `What is the sum of the numbers ${low} to ${high}?`,
            ]),
        steps: [
          `There are ${n} numbers; first and last make ${low} + ${high} = ${low + high}.`,
          `${n} * ${low + high} / 2 = ${value}.`,
        ],
        answer: `${value}`,
        check: () => {
          let sum = 0
          for (let i = low; i <= high; i += even ? 2 : 1) sum += i
          return sum === value
        },
      }
    },
  },
  {
    name: 'average',
    make(random) {
      const count = random.between(3, 6)
      const values = Array.from({ length: count }, () => random.between(2, 60))
      const over = values.reduce((sum, value) => sum + value, 0) % count
      values[0] += over === 0 ? 0 : count - over
      const total = values.reduce((sum, value) => sum + value, 0)
      const { name } = aPerson(random)
      const [, many] = aThing(random)
      const list = `${values.slice(0, -1).join(', ')} and ${values[count - 1]}`
      return {
        question: random.pick([
          `What is the average of ${list}?`,
          `Find the mean of ${list}.`,
          `${name} collected ${list} ${many} on ${count} days. How many is that per day on average?`,
          `${name} scored ${list} points in ${count} games. What was the average score?`,
        ]),
        steps: [
          `${values.join(' + ')} = ${total}.`,
          `There are ${count} numbers: ${total} / ${count} = ${total / count}.`,
        ],
        answer: `${total / count}`,
        check: () => Math.abs(values.reduce((sum, value) => sum + value - total / count, 0)) < 1e-9,
      }
    },
  },
  {
    name: 'median and range',
    make(random) {
      const values = Array.from({ length: random.pick([5, 7]) }, () => random.between(1, 99))
      const sorted = values.toSorted((a, b) => a - b)
      const range = random.int(2) === 0
      const [low, high] = [sorted[0], sorted[sorted.length - 1]]
      const middle = sorted[(sorted.length - 1) / 2]
      return {
        question: range
          ? random.pick([
              `What is the range of ${values.join(', ')}?`,
              `Find the range of the numbers ${values.join(', ')}.`,
            ])
          : random.pick([
              `What is the median of ${values.join(', ')}?`,
              `Find the middle value of ${values.join(', ')}.`,
            ]),
        steps: [
          `In order: ${sorted.join(', ')}.`,
          range
            ? `${high} - ${low} = ${high - low}.`
            : `Of ${values.length} numbers, number ${(values.length + 1) / 2} is in the middle.`,
        ],
        answer: `${range ? high - low : middle}`,
        check: () =>
          range
            ? Math.max(...values) - Math.min(...values) === high - low
            : values.filter((value) => value < middle).length <= values.length / 2 &&
              values.filter((value) => value > middle).length <= values.length / 2,
      }
    },
  },
  {
    name: 'chance',
    make(random) {
      const [a, b, c] = [random.between(1, 12), random.between(1, 12), random.between(0, 8)]
      const total = a + b + c
      const colours = random.shuffle(['red', 'blue', 'green', 'white', 'black', 'yellow', 'brown'])
      const [, many] = aThing(random)
      const not = random.int(2) === 0
      const wanted = not ? b + c : a
      const third = c > 0 ? ` and ${c} ${colours[2]}` : ''
      return {
        question: `A bag holds ${a} ${colours[0]}, ${b} ${colours[1]}${third} ${many}. ${random.pick([
          `What is the probability to draw one that is ${not ? 'not ' : ''}${colours[0]}?`,
          `One is drawn. How likely is it ${not ? 'not ' : ''}${colours[0]}?`,
        ])}`,
        steps: [
          `There are ${[a, b, ...(c > 0 ? [c] : [])].join(' + ')} = ${total} ${many} in all.`,
          ...(not
            ? [`${total} - ${a} = ${wanted} of them are not ${colours[0]}.`]
            : [`${a} of them are ${colours[0]}.`]),
          ...(fraction(wanted, total) === `${wanted}/${total}`
            ? []
            : [`${wanted}/${total} = ${fraction(wanted, total)}.`]),
        ],
        answer: fraction(wanted, total),
        check: () => Math.abs((not ? 1 - a / total : a / total) - wanted / total) < 1e-12,
      }
    },
  },
  {
    name: 'counting ways',
    make(random) {
      const [a, b, c] = [random.between(2, 15), random.between(2, 15), random.between(2, 9)]
      const { name } = aPerson(random)
      const [x, y, z] = random.pick([
        ['shirts', 'trousers', 'hats'],
        ['soups', 'main dishes', 'desserts'],
        ['roads', 'bridges', 'paths'],
        ['frames', 'colours', 'saddles'],
      ])
      return {
        question: random.pick([
          `${name} takes one of ${a} ${x}, one of ${b} ${y} and one of ${c} ${z}. How many choices are there?`,
          `In how many ways can you take one of ${a} ${x}, one of ${b} ${y} and one of ${c} ${z}?`,
        ]),
        steps: [
          `${a} * ${b} = ${a * b} ways with ${x} and ${y}.`,
          `With ${z}: ${a * b} * ${c} = ${a * b * c}.`,
        ],
        answer: `${a * b * c}`,
        check: () => {
          let ways = 0
          for (let i = 0; i < a; i++) for (let j = 0; j < b; j++) ways += c
          return ways === a * b * c
        },
      }
    },
  },
  {
    name: 'powers and roots',
    weight: 0.25,
    make(random) {
      const root = random.int(2) === 0
      const base = root ? random.between(4, 150) : random.between(2, 12)
      const exponent = root ? 2 : random.between(2, 4)
      const steps: string[] = []
      let value = base
      for (let i = 1; i < exponent; i++) {
        steps.push(`${value} * ${base} = ${value * base}.`)
        value *= base
      }
      return {
        question: root
          ? random.pick([
              `What is the square root of ${value}?`,
              `Which positive number times itself is ${value}?`,
            ])
          : random.pick([
              `What is ${base} to the power of ${exponent}?`,
              `Calculate ${base}^${exponent}.`,
              `Multiply ${exponent} factors of ${base}.`,
            ]),
        steps: root ? [`${base} * ${base} = ${value}.`] : steps,
        answer: root ? `${base}` : num(value),
        check: () => value === base ** exponent,
      }
    },
  },
  {
    name: 'binary numbers',
    make(random) {
      const value = random.between(20, 2047)
      const bits = value.toString(2)
      const places = [...bits]
        .map((bit, i) => (bit === '1' ? 2 ** (bits.length - 1 - i) : 0))
        .filter((place) => place > 0)
      const toBinary = random.int(2) === 0
      return {
        question: toBinary
          ? random.pick([`Write ${value} in binary.`, `What is the number ${value} in base 2?`])
          : random.pick([
              `What is the binary number ${bits} in decimal?`,
              `Convert ${bits} from base 2 to base 10.`,
            ]),
        steps: [
          toBinary
            ? `In powers of 2, ${value} = ${places.join(' + ')}.`
            : `The ones stand for ${places.join(' + ')} = ${value}.`,
        ],
        answer: toBinary ? bits : `${value}`,
        check: () => Number.parseInt(bits, 2) === value,
      }
    },
  },
]

function smallestDivisor(value: number): number {
  for (let d = 2; d * d <= value; d++) if (value % d === 0) return d
  return value
}

function isPrime(value: number): boolean {
  return value > 1 && smallestDivisor(value) === value
}

function ordinal(text: string): string {
  const n = Number.parseInt(text, 10)
  const teen = n % 100 >= 11 && n % 100 <= 13
  return `${n}${teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`
}
