import { num, type ProblemKind } from './kind.ts'
import { aPerson, aThing, people } from './words.ts'

const signed = (value: number) => (value < 0 ? `- ${-value}` : `+ ${value}`)

/** Equations, functions and short proofs. */
export const algebra: ProblemKind[] = [
  {
    name: 'linear equation',
    make(random) {
      const letter = random.pick(['x', 'y', 'n', 't', 'a'])
      const [a, b, x] = [random.between(2, 12), random.between(1, 40), random.between(-9, 25)]
      const plus = random.int(2) === 0
      const right = plus ? a * x + b : a * x - b
      return {
        question: random.pick([
          `Solve ${a}${letter} ${plus ? '+' : '-'} ${b} = ${right} for ${letter}.`,
          `Find ${letter} if ${a}${letter} ${plus ? '+' : '-'} ${b} = ${right}.`,
          `For which ${letter} is ${a}${letter} ${plus ? '+' : '-'} ${b} equal to ${right}?`,
          `I think of a number, multiply it by ${a} and ${plus ? `add ${b}` : `subtract ${b}`}. I get ${right}. What is my number?`,
        ]),
        steps: [
          plus
            ? `Subtract ${b} from both sides: ${right} - ${b} = ${a * x}.`
            : `Add ${b} to both sides: ${right} + ${b} = ${a * x}.`,
          `Divide by ${a}: ${a * x} / ${a} = ${x}.`,
        ],
        answer: `${x}`,
        check: () => a * x + (plus ? b : -b) === right,
      }
    },
  },
  {
    name: 'equation with unknowns on both sides',
    make(random) {
      const letter = random.pick(['x', 'y', 'z', 'm'])
      const x = random.between(-8, 15)
      const c = random.between(2, 8)
      const a = c + random.between(2, 9)
      const b = random.between(-20, 20)
      const d = (a - c) * x + b
      return {
        question: random.pick([
          `Solve ${a}${letter} ${signed(b)} = ${c}${letter} ${signed(d)}.`,
          `Find ${letter}: ${a}${letter} ${signed(b)} = ${c}${letter} ${signed(d)}.`,
        ]),
        steps: [
          `Take ${c}${letter} from both sides; ${a} - ${c} = ${a - c}, so ${a - c}${letter} ${signed(b)} = ${d}.`,
          b < 0 ? `Add ${-b}: ${d} + ${-b} = ${d - b}.` : `Take away ${b}: ${d} - ${b} = ${d - b}.`,
          `${d - b} / ${a - c} = ${x}.`,
        ],
        answer: `${letter} = ${x}`,
        check: () => a * x + b === c * x + d,
      }
    },
  },
  {
    name: 'sum and difference',
    make(random) {
      const small = random.between(1, 60)
      const difference = random.between(1, 40)
      const large = small + difference
      const [one, other] = people(random, 2)
      const [, many] = aThing(random)
      const wantLarge = random.int(2) === 0
      return {
        question:
          random.pick([
            `Two numbers add up to ${small + large} and differ by ${difference}.`,
            `The sum of two numbers is ${small + large}, their difference ${difference}.`,
            `${one.name} and ${other.name} have ${small + large} ${many} together, and one of them has ${difference} more.`,
          ]) + (wantLarge ? ' How large is the larger number?' : ' What is the smaller number?'),
        steps: [
          `Without the difference: ${small + large} - ${difference} = ${2 * small}.`,
          `${2 * small} / 2 = ${small} is the smaller one.`,
          ...(wantLarge ? [`${small} + ${difference} = ${large}.`] : []),
        ],
        answer: `${wantLarge ? large : small}`,
        check: () => large + small === 2 * small + difference && large - small === difference,
      }
    },
  },
  {
    name: 'heads and legs',
    make(random) {
      const [two, four, few, lots] = random.pick([
        ['chickens', 'rabbits', 2, 4],
        ['ducks', 'goats', 2, 4],
        ['bicycles', 'tricycles', 2, 3],
        ['stools', 'tables', 3, 4],
        ['beetles', 'spiders', 6, 8],
      ] as const)
      const [a, b] = [random.between(2, 30), random.between(2, 30)]
      const legs = few * a + lots * b
      const part = two.includes('cycle') ? 'wheels' : 'legs'
      const extra = legs - few * (a + b)
      return {
        question: random.pick([
          `There are ${a + b} ${two} and ${four} with ${legs} ${part} in all. How many are ${four}?`,
          `In a yard stand ${two} and ${four}, ${a + b} together. Someone counts ${legs} ${part}. How many ${four} are there?`,
        ]),
        steps: [
          `All ${two} would have ${few} * ${a + b} = ${few * (a + b)} ${part}.`,
          `${legs} - ${few * (a + b)} = ${extra}.`,
          `${extra} / (${lots} - ${few}) = ${b} of them are ${four}.`,
        ],
        answer: `${b}`,
        check: () => few * (a + b - b) + lots * b === legs,
      }
    },
  },
  {
    name: 'evaluate an expression',
    make(random) {
      const [a, b, x] = [random.between(2, 9), random.between(-15, 15), random.between(-6, 12)]
      const square = random.int(2) === 0
      const letter = random.pick(['x', 'k', 'p', 's'])
      const inner = square ? x * x : x
      const value = a * inner + b
      const expression = `${a}${letter}${square ? '^2' : ''} ${signed(b)}`
      return {
        question: random.pick([
          `What is ${expression} for ${letter} = ${x}?`,
          `Let ${letter} = ${x}. Find the value of ${expression}.`,
          `The rule of a machine is ${expression}. What comes out when ${x} goes in for ${letter}?`,
        ]),
        steps: [
          ...(square ? [`The square is ${x < 0 ? `(${x}) * (${x})` : `${x} * ${x}`} = ${inner}.`] : []),
          `${a} * ${inner < 0 ? `(${inner})` : inner} = ${a * inner}.`,
          `${a * inner} ${signed(b)} = ${value}.`,
        ],
        answer: `${value}`,
        check: () => (value - b) / a === inner,
      }
    },
  },
  {
    name: 'inequality',
    make(random) {
      const [a, b] = [random.between(2, 9), random.between(1, 30)]
      const limit = b + random.between(10, 120)
      const most = Math.floor((limit - b) / a)
      return {
        question: random.pick([
          `What is the largest whole number n with ${a}n + ${b} at most ${limit}?`,
          `A ride costs $${b} to start and $${a} a mile. How many whole miles does $${limit} pay for?`,
          `You have $${limit}. After a fee of $${b}, how many books at $${a} each can you buy?`,
        ]),
        steps: [
          `${limit} - ${b} = ${limit - b}.`,
          (limit - b) % a === 0
            ? `${limit - b} / ${a} = ${most}.`
            : `${a} * ${most} = ${a * most} is not more than ${limit - b}, but ${a} * ${most + 1} = ${a * (most + 1)} is.`,
        ],
        answer: `${most}`,
        check: () => a * most + b <= limit && a * (most + 1) + b > limit,
      }
    },
  },
  {
    name: 'proof about even and odd',
    weight: 0.06,
    make(random) {
      const [k, m] = random.shuffle(['k', 'm', 'n', 'p', 'q', 'r', 's']) as string[]
      const cases = [
        {
          claim: 'the sum of two odd numbers is even',
          steps: [
            `Let the numbers be 2${k} + 1 and 2${m} + 1.`,
            `Their sum is 2${k} + 2${m} + 2, that is, 2 times (${k} + ${m} + 1).`,
            'Twice a whole number is even.',
          ],
          holds: (a: number, b: number) => (2 * a + 1 + 2 * b + 1) % 2 === 0,
        },
        {
          claim: 'the product of two odd numbers is odd',
          steps: [
            `Write them as 2${k} + 1 and 2${m} + 1.`,
            `The product is 4${k}${m} + 2${k} + 2${m} + 1, that is, 2 times (2${k}${m} + ${k} + ${m}), plus 1.`,
            'One more than twice a whole number is odd.',
          ],
          holds: (a: number, b: number) => ((2 * a + 1) * (2 * b + 1)) % 2 === 1,
        },
        {
          claim: 'the square of an even number is a multiple of 4',
          steps: [`An even number is 2${k}.`, `Its square is 4${k}^2.`, `That is 4 times ${k}^2.`],
          holds: (a: number) => (2 * a) ** 2 % 4 === 0,
        },
        {
          claim: 'the sum of an even and an odd number is odd',
          steps: [
            `Take 2${k} and 2${m} + 1.`,
            `Together they are 2 times (${k} + ${m}), plus 1.`,
            'That is odd.',
          ],
          holds: (a: number, b: number) => (2 * a + 2 * b + 1) % 2 === 1,
        },
        {
          claim: 'three numbers in a row have a sum that is a multiple of 3',
          steps: [
            `Call the middle one ${k}. The others are ${k} - 1 and ${k} + 1.`,
            `The -1 and the +1 cancel, so the sum is 3${k}.`,
          ],
          holds: (a: number) => (a - 1 + a + a + 1) % 3 === 0,
        },
        {
          claim: `the difference of the squares of ${m} + 1 and ${m} is 2${m} + 1`,
          steps: [
            `The square of ${m} + 1 is ${m}^2 + 2${m} + 1.`,
            `Without ${m}^2, what is left is 2${m} + 1.`,
          ],
          holds: (a: number) => (a + 1) ** 2 - a ** 2 === 2 * a + 1,
        },
      ]
      const { claim, steps, holds } = random.pick(cases)
      const [a, b] = [random.between(2, 90), random.between(2, 90)]
      return {
        question: random.pick([
          `Show that ${claim}.`,
          `Why is it true that ${claim}?`,
          `Prove: ${claim}. Try it with numbers such as ${a} and ${b} first if you like.`,
        ]),
        steps,
        answer: `so ${claim}`,
        check: () => Array.from({ length: 50 }, (_, i) => holds(a + i, b + 3 * i)).every(Boolean),
      }
    },
  },
  {
    name: 'direct proportion',
    make(random) {
      const [a, unit, b] = [random.between(2, 12), random.between(2, 30), random.between(2, 40)]
      const [, many] = aThing(random)
      const { name } = aPerson(random)
      return {
        question: random.pick([
          `${a} ${many} weigh ${a * unit} grams. How much do ${b} of them weigh?`,
          `For ${a} cups of flour a baker makes ${a * unit} rolls. How many rolls do ${b} cups make?`,
          `${name} reads ${a * unit} pages in ${a} days. How many pages are that in ${b} days at the same pace?`,
          `A machine makes ${a * unit} ${many} in ${a} hours. How many does it make in ${b} hours?`,
        ]),
        steps: [`For one: ${a * unit} / ${a} = ${unit}.`, `For ${b}: ${b} * ${unit} = ${b * unit}.`],
        answer: num(b * unit),
        check: () => a * unit * b === b * unit * a,
      }
    },
  },
]
