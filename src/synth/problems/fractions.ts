import { article, fraction, gcd, num, type ProblemKind } from './kind.ts'
import { aPerson, aThing } from './words.ts'

/** Fractions, ratios and percentages. */
export const fractions: ProblemKind[] = [
  {
    name: 'adding fractions',
    make(random) {
      const [b, d] = [random.between(2, 12), random.between(2, 12)]
      const [a, c] = [random.between(1, b - 1), random.between(1, d - 1)]
      const minus = random.int(3) === 0 && a * d > c * b
      const common = (b * d) / gcd(b, d)
      const [x, y] = [(a * common) / b, (c * common) / d]
      const top = minus ? x - y : x + y
      const sign = minus ? '-' : '+'
      const result = fraction(top, common)
      return {
        question: random.pick([
          `What is ${a}/${b} ${sign} ${c}/${d}?`,
          `Calculate ${a}/${b} ${sign} ${c}/${d} in lowest terms.`,
          `${minus ? `Take ${c}/${d} away from ${a}/${b}` : `Add ${a}/${b} and ${c}/${d}`}.`,
        ]),
        steps: [
          b === d
            ? `Both have the denominator ${b} already.`
            : `The least common denominator of ${b} and ${d} is ${common}: ${a}/${b} = ${x}/${common} and ${c}/${d} = ${y}/${common}.`,
          `${x}/${common} ${sign} ${y}/${common} = ${top}/${common}.`,
          ...(result === `${top}/${common}` ? [] : [`In lowest terms, ${top}/${common} = ${result}.`]),
        ],
        answer: result,
        check: () => Math.abs(a / b + ((minus ? -1 : 1) * c) / d - top / common) < 1e-12,
      }
    },
  },
  {
    name: 'multiplying fractions',
    make(random) {
      const [a, b, c, d] = [1, 2, 1, 2].map((low) => random.between(low, 11))
      const divide = random.int(2) === 0
      const [n, m] = divide ? [a * d, b * c] : [a * c, b * d]
      const result = fraction(n, m)
      return {
        question: divide
          ? random.pick([`Divide ${a}/${b} by ${c}/${d}.`, `What is ${a}/${b} divided by ${c}/${d}?`])
          : random.pick([`Multiply ${a}/${b} by ${c}/${d}.`, `What is ${a}/${b} of ${c}/${d}?`]),
        steps: [
          ...(divide ? [`Dividing by ${c}/${d} is multiplying by ${d}/${c}.`] : []),
          divide
            ? `Tops: ${a} * ${d} = ${n}. Bottoms: ${b} * ${c} = ${m}.`
            : `Tops: ${a} * ${c} = ${n}. Bottoms: ${b} * ${d} = ${m}.`,
          result === `${n}/${m}` ? `${n}/${m} cannot be made simpler.` : `${n}/${m} = ${result}.`,
        ],
        answer: result,
        check: () => Math.abs((a / b) * (divide ? d / c : c / d) - n / m) < 1e-9,
      }
    },
  },
  {
    name: 'lowest terms',
    make(random) {
      const [p, q, k] = [random.between(1, 15), random.between(2, 20), random.between(2, 12)]
      const [n, m] = [p * k, q * k]
      const common = gcd(n, m)
      return {
        question: random.pick([
          `Simplify ${n}/${m}.`,
          `Write ${n}/${m} in lowest terms.`,
          `Reduce the fraction ${n}/${m} as far as possible.`,
        ]),
        steps: [
          `The greatest common divisor of ${n} and ${m} is ${common}.`,
          `${n} / ${common} = ${n / common} and ${m} / ${common} = ${m / common}.`,
        ],
        answer: fraction(n, m),
        check: () => gcd(n / common, m / common) === 1,
      }
    },
  },
  {
    name: 'comparing fractions',
    make(random) {
      const [b, d] = [random.between(3, 15), random.between(3, 15)]
      const [a, c] = [random.between(1, b - 1), random.between(1, d - 1)]
      const [left, right] = [a * d, c * b]
      const answer = left === right ? 'they are equal' : left > right ? `${a}/${b}` : `${c}/${d}`
      return {
        question: random.pick([
          `Which is larger, ${a}/${b} or ${c}/${d}?`,
          `Compare ${a}/${b} and ${c}/${d}: which one is greater?`,
        ]),
        steps: [
          random.pick(['Cross-multiply.', 'Multiply crosswise.']),
          `${a} * ${d} = ${left} and ${c} * ${b} = ${right}.`,
          left === right
            ? 'The products are the same.'
            : `${Math.max(left, right)} is more than ${Math.min(left, right)}.`,
        ],
        answer,
        check: () => Math.sign(a / b - c / d) === Math.sign(left - right),
      }
    },
  },
  {
    name: 'fraction of an amount',
    make(random) {
      const [n, d] = [random.between(1, 7), random.between(2, 9)]
      const [top, bottom] = n < d ? [n, d] : [1, d]
      const part = random.between(2, 30)
      const whole = part * bottom
      const person = aPerson(random)
      const [, many] = aThing(random)
      const given = part * top
      const left = random.int(2) === 0
      return {
        question:
          random.pick([
            `${person.name} has ${whole} ${many} and gives away ${top}/${bottom} of them.`,
            `Of the ${whole} ${many} that ${person.name} owns, ${top}/${bottom} are given away.`,
            `${person.name} had ${whole} ${many}. ${top}/${bottom} of them went to a friend.`,
          ]) +
          (left
            ? random.pick([' How many are left?', ` How many ${many} remain?`])
            : random.pick([' How many are given away?', ` How many ${many} is that?`])),
        steps: [
          `1/${bottom} of ${whole} is ${whole} / ${bottom} = ${part}.`,
          ...(top > 1 ? [`${top}/${bottom} of it is ${top} * ${part} = ${given}.`] : []),
          ...(left ? [`${whole} - ${given} = ${whole - given}.`] : []),
        ],
        answer: `${left ? whole - given : given}`,
        check: () => Math.abs((whole * top) / bottom - given) < 1e-9,
      }
    },
  },
  {
    name: 'percent of a number',
    make(random) {
      const percent = random.pick([5, 10, 12, 15, 20, 25, 30, 35, 40, 45, 60, 70, 75, 80, 90, 110, 125, 150])
      const whole = 20 * random.between(1, 60)
      const value = (whole * percent) / 100
      return {
        question: random.pick([
          `What is ${percent}% of ${whole}?`,
          `Find ${percent} percent of ${whole}.`,
          `Work out ${percent}% of ${whole}.`,
        ]),
        steps: [
          `1% of ${whole} is ${whole} / 100 = ${num(whole / 100)}.`,
          `${percent} * ${num(whole / 100)} = ${num(value)}.`,
        ],
        answer: num(value),
        check: () => Math.abs(value / whole - percent / 100) < 1e-9,
      }
    },
  },
  {
    name: 'what percent',
    make(random) {
      const percent = random.between(1, 99)
      const whole = 100 * random.between(1, 40)
      const part = (whole * percent) / 100
      const person = aPerson(random)
      const [, many] = aThing(random)
      return {
        question: random.pick([
          `${part} is what percent of ${whole}?`,
          `What percentage of ${whole} is ${part}?`,
          `Out of ${whole} ${many}, ${person.name} sold ${part}. What percent is that?`,
          `${part} of ${whole} ${many} are blue. What percentage is that?`,
        ]),
        steps: [`${part} / ${whole} = ${num(part / whole)}.`, `${num(part / whole)} * 100 = ${percent}.`],
        answer: `${percent}%`,
        check: () => part * 100 === percent * whole,
      }
    },
  },
  {
    name: 'discount and increase',
    make(random) {
      const percent = random.pick([5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60])
      const price = 20 * random.between(1, 250)
      const change = (price * percent) / 100
      const up = random.int(2) === 0
      const [one] = aThing(random)
      const result = up ? price + change : price - change
      return {
        question: up
          ? random.pick([
              `The price of ${article(one)} machine is $${price} and rises by ${percent}%. What is the new price?`,
              `A rent of $${price} goes up by ${percent} percent. How much is it now?`,
              `Last year a club had a budget of $${price}. This year it is ${percent}% larger. How large is it?`,
            ])
          : random.pick([
              `A coat costs $${price}. In the sale it is ${percent}% cheaper. And then?`,
              `A bicycle for $${price} is sold with a discount of ${percent}%. What is the price now?`,
              `How much do you pay for a lamp of $${price} when ${percent} percent are taken off?`,
            ]),
        steps: [
          `${percent}% of ${price} is ${price} * ${percent} / 100 = ${num(change)}.`,
          `${price} ${up ? '+' : '-'} ${num(change)} = ${num(result)}.`,
        ],
        answer: `$${num(result)}`,
        check: () => Math.abs(price * (1 + (up ? percent : -percent) / 100) - result) < 1e-9,
      }
    },
  },
  {
    name: 'sharing in a ratio',
    make(random) {
      const [a, b] = [random.between(1, 7), random.between(1, 7)]
      const share = random.between(2, 25)
      const total = (a + b) * share
      const [first, second] = [aPerson(random), aPerson(random)]
      const [, many] = aThing(random)
      const names =
        first.name === second.name ? ['the first team', 'the second team'] : [first.name, second.name]
      return {
        question: random.pick([
          `${total} ${many} are shared between ${names[0]} and ${names[1]} in the ratio ${a}:${b}. How many does ${names[0]} get?`,
          `Share ${total} ${many} in the ratio ${a} to ${b} between ${names[0]} and ${names[1]}. What is the share of ${names[0]}?`,
        ]),
        steps: [
          `There are ${a} + ${b} = ${a + b} parts.`,
          `One part is ${total} / ${a + b} = ${share}.`,
          `${names[0]} gets ${a} * ${share} = ${a * share}.`,
        ],
        answer: `${a * share}`,
        check: () => a * share * b === (total - a * share) * a,
      }
    },
  },
  {
    name: 'fraction, decimal, percent',
    weight: 0.3,
    make(random) {
      const bottom = random.pick([2, 4, 5, 8, 10, 20, 25, 40, 50])
      const top = random.between(1, bottom - 1)
      const value = top / bottom
      const percent = random.int(2) === 0
      return {
        question: percent
          ? random.pick([`Write ${top}/${bottom} as a percentage.`, `What percent is ${top}/${bottom}?`])
          : random.pick([`Write ${top}/${bottom} as a decimal.`, `What is ${top}/${bottom} in decimals?`]),
        steps: [
          `${top} / ${bottom} = ${num(value)}.`,
          ...(percent ? [`${num(value)} * 100 = ${num(value * 100)}.`] : []),
        ],
        answer: percent ? `${num(value * 100)}%` : num(value),
        check: () => Math.abs(Number(num(value)) * bottom - top) < 1e-9,
      }
    },
  },
]
