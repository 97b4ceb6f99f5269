import { evaluate } from './equations.ts'
import { num, type ProblemKind } from './kind.ts'

const ask = ['What is', 'Calculate', 'Work out', 'Find the value of', 'Compute', 'Evaluate']
const asked = (verb: string, what: string) => (verb === 'What is' ? `What is ${what}?` : `${verb} ${what}.`)

/** Sums on bare numbers, worked by hand. */
export const sums: ProblemKind[] = [
  {
    name: 'addition',
    make(random) {
      const [a, b] = [random.between(11, 999), random.between(11, 999)]
      const tens = Math.floor(b / 10) * 10
      const steps =
        random.int(2) === 0
          ? [
              `Split ${b} into ${tens} and ${b - tens}.`,
              `${a} + ${tens} = ${a + tens}.`,
              `${a + tens} + ${b - tens} = ${a + b}.`,
            ]
          : columnAddition(a, b)
      return {
        question: random.pick([
          asked(random.pick(ask), `${a} + ${b}`),
          `Add ${a} and ${b}.`,
          `What do you get when you add ${b} to ${a}?`,
          `What is the sum of ${a} and ${b}?`,
        ]),
        steps,
        answer: `${a + b}`,
        check: () => a + b - a === b,
      }
    },
  },
  {
    name: 'subtraction',
    make(random) {
      const b = random.between(11, 900)
      const a = b + random.between(1, 900)
      const tens = Math.floor(b / 10) * 10
      const up = Math.ceil(b / 10) * 10
      const countUp = up > b && up <= a
      const steps =
        countUp && random.int(2) === 0
          ? [
              `Count up from ${b} to ${a}.`,
              `From ${b} to ${up} is ${up - b}, and from ${up} to ${a} is ${a - up}.`,
              `${up - b} + ${a - up} = ${a - b}.`,
            ]
          : [
              `First take away ${tens}: ${a} - ${tens} = ${a - tens}.`,
              `Then take away ${b - tens}: ${a - tens} - ${b - tens} = ${a - b}.`,
            ]
      return {
        question: random.pick([
          asked(random.pick(ask), `${a} - ${b}`),
          `Subtract ${b} from ${a}.`,
          `What is the difference between ${a} and ${b}?`,
          `How much more is ${a} than ${b}?`,
        ]),
        steps,
        answer: `${a - b}`,
        check: () => a - b + b === a,
      }
    },
  },
  {
    name: 'multiplication',
    make(random) {
      const [a, b] = [random.between(12, 99), random.between(3, random.int(2) === 0 ? 9 : 39)]
      const tens = Math.floor(a / 10) * 10
      return {
        question: random.pick([
          asked(random.pick(ask), `${a} * ${b}`),
          `Multiply ${a} by ${b}.`,
          `What is the product of ${a} and ${b}?`,
          `What is ${b} times ${a}?`,
        ]),
        steps: [
          random.pick([
            `Split ${a} into ${tens} and ${a - tens}.`,
            `Write ${a} as ${tens} + ${a - tens}.`,
            `Multiply the tens and the ones of ${a} on their own.`,
          ]),
          `${tens} * ${b} = ${tens * b} and ${a - tens} * ${b} = ${(a - tens) * b}.`,
          `${tens * b} + ${(a - tens) * b} = ${a * b}.`,
        ],
        answer: `${a * b}`,
        check: () => new Array(b).fill(a).reduce((sum, x) => sum + x, 0) === a * b,
      }
    },
  },
  {
    name: 'division with remainder',
    make(random) {
      const divisor = random.between(3, 25)
      const quotient = random.between(4, 60)
      const remainder = random.int(divisor)
      const dividend = divisor * quotient + remainder
      const rest = remainder === 0 ? '' : ` remainder ${remainder}`
      return {
        question: random.pick([
          `Divide ${dividend} by ${divisor} and give the remainder.`,
          `What is ${dividend} divided by ${divisor}, with remainder?`,
          `How often does ${divisor} go into ${dividend}, and what is left over?`,
        ]),
        steps: [
          `${divisor} * ${quotient} = ${divisor * quotient}.`,
          remainder === 0
            ? `That is ${dividend} exactly, so nothing is left over.`
            : `${dividend} - ${divisor * quotient} = ${remainder}, and ${remainder} is less than ${divisor}.`,
        ],
        answer: `${quotient}${rest}`,
        check: () => Math.floor(dividend / divisor) === quotient && dividend % divisor === remainder,
      }
    },
  },
  {
    name: 'order of operations',
    make(random) {
      const [a, b, c, d] = [2, 2, 2, 1].map((low) => random.between(low, 15))
      const shapes = [
        {
          text: `${a} + ${b} * ${c} - ${d}`,
          value: a + b * c - d,
          steps: [
            `Multiplication comes first: ${b} * ${c} = ${b * c}.`,
            `Then from left to right: ${a} + ${b * c} - ${d} = ${a + b * c - d}.`,
          ],
        },
        {
          text: `(${a} + ${b}) * ${c} + ${d}`,
          value: (a + b) * c + d,
          steps: [
            `The bracket comes first: ${a} + ${b} = ${a + b}.`,
            `Then multiply: ${a + b} * ${c} = ${(a + b) * c}.`,
            `At last add: ${(a + b) * c} + ${d} = ${(a + b) * c + d}.`,
          ],
        },
        {
          text: `${a} * ${b} + ${c} * ${d}`,
          value: a * b + c * d,
          steps: [
            `Both products come before the sum: ${a} * ${b} = ${a * b} and ${c} * ${d} = ${c * d}.`,
            `${a * b} + ${c * d} = ${a * b + c * d}.`,
          ],
        },
        {
          text: `${a} * (${b} + ${c}) - ${d}`,
          value: a * (b + c) - d,
          steps: [
            `Inside the bracket: ${b} + ${c} = ${b + c}.`,
            `Times ${a}: ${a} * ${b + c} = ${a * (b + c)}.`,
            `Minus ${d}: ${a * (b + c)} - ${d} = ${a * (b + c) - d}.`,
          ],
        },
      ]
      const { text, value, steps } = random.pick(shapes)
      return {
        question: asked(random.pick(ask), text),
        steps,
        answer: num(value),
        check: () => evaluate(text) === value,
      }
    },
  },
  {
    name: 'decimals',
    make(random) {
      const [a, b] = [random.between(105, 9999), random.between(105, 9999)]
      const larger = Math.max(a, b)
      const smaller = Math.min(a, b)
      const add = random.int(2) === 0
      const cents = add ? a + b : larger - smaller
      const [x, y, z] = [add ? a : larger, add ? b : smaller, cents].map((value) => num(value / 100, 2))
      return {
        question: add
          ? random.pick([`Add ${x} and ${y}.`, asked(random.pick(ask), `${x} + ${y}`)])
          : random.pick([`Subtract ${y} from ${x}.`, asked(random.pick(ask), `${x} - ${y}`)]),
        steps: [
          random.pick([
            'Work in hundredths so that the points line up.',
            'Write both numbers with two decimals, one under the other.',
            'Move the point two places, calculate, and move it back.',
          ]),
          add ? `${a} + ${b} = ${cents} hundredths.` : `${larger} - ${smaller} = ${cents} hundredths.`,
          `${add ? `${x} + ${y}` : `${x} - ${y}`} = ${z}.`,
        ],
        answer: z,
        check: () => Math.abs(Number(x) + (add ? 1 : -1) * Number(y) - Number(z)) < 1e-9,
      }
    },
  },
  {
    name: 'estimation',
    make(random) {
      const place = random.pick([10, 100, 1000])
      const value = random.between(place + 1, place * 99)
      const rounded = Math.floor(value / place + 0.5) * place
      const below = Math.floor(value / place) * place
      return {
        question: random
          .pick([
            `Round ${value} to the nearest ${place}.`,
            `What is ${value} rounded to the nearest ${place}?`,
            `Which multiple of ${place} is closest to ${value}?`,
          ])
          .concat(value % place === place / 2 ? ' (A number in the middle is rounded up.)' : ''),
        steps: [
          `${value} lies between ${below} and ${below + place}.`,
          `It is ${value - below} above ${below}, and half of ${place} is ${place / 2}.`,
          rounded === below
            ? `${value - below} is less than ${place / 2}, so round down.`
            : `${value - below} is not less than ${place / 2}, so round up.`,
        ],
        answer: `${rounded}`,
        check: () => Math.abs(rounded - value) <= place / 2 && rounded % place === 0,
      }
    },
  },
]

function columnAddition(a: number, b: number): string[] {
  const steps: string[] = []
  const names = ['ones', 'tens', 'hundreds']
  let carry = 0
  for (let place = 0; place < 3; place++) {
    const [x, y] = [a, b].map((value) => Math.floor(value / 10 ** place) % 10)
    if (place > 0 && x + y + carry === 0) break
    const sum = x + y + carry
    const carried = carry > 0 ? ` + ${carry}` : ''
    steps.push(
      `${names[place]}: ${x} + ${y}${carried} = ${sum}${sum > 9 ? `, write ${sum % 10} and carry 1` : ''}.`,
    )
    carry = sum > 9 ? 1 : 0
  }
  return [...steps, `So ${a} + ${b} = ${a + b}.`]
}
