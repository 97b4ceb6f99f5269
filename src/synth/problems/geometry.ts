import { num, type ProblemKind } from './kind.ts'
import { aPerson } from './words.ts'

/** Lengths, areas, volumes and angles. */
export const geometry: ProblemKind[] = [
  {
    name: 'rectangle',
    make(random) {
      const [a, b] = [random.between(3, 60), random.between(3, 60)]
      const unit = random.pick(['cm', 'm', 'metres', 'inches', 'feet'])
      const around = random.int(2) === 0
      const { name } = aPerson(random)
      const shape = random.pick([
        'garden',
        'room',
        'field',
        'poster',
        'table',
        'carpet',
        'playground',
        'sheet',
      ])
      return {
        question: around
          ? random.pick([
              `A rectangle is ${a} ${unit} long and ${b} ${unit} wide. What is its perimeter?`,
              `${name} puts a border around a ${shape} of ${a} by ${b} ${unit}. How long is the border?`,
              `How long is the edge all around a ${shape} with sides of ${a} ${unit} and ${b} ${unit}?`,
            ])
          : random.pick([
              `A rectangle is ${a} ${unit} long and ${b} ${unit} wide. What is its area?`,
              `${name} paints a ${shape} that measures ${a} by ${b} ${unit}. What area is that?`,
              `Find the area of a ${shape} with sides of ${a} ${unit} and ${b} ${unit}.`,
            ]),
        steps: around
          ? [
              `Length and width together are ${a} + ${b} = ${a + b}.`,
              `Twice that is 2 * ${a + b} = ${2 * (a + b)}.`,
            ]
          : [
              random.pick(['Area is length times width.', 'Multiply the two sides.']),
              `${a} * ${b} = ${a * b}.`,
            ],
        answer: around ? `${2 * (a + b)} ${unit}` : `${a * b} square ${unit}`,
        check: () => (around ? a + b + a + b === 2 * (a + b) : (a * b) / b === a),
      }
    },
  },
  {
    name: 'missing side',
    make(random) {
      const [a, b] = [random.between(3, 40), random.between(3, 40)]
      const unit = random.pick(['cm', 'm', 'feet'])
      const byArea = random.int(2) === 0
      return {
        question: byArea
          ? random.pick([
              `A rectangle has an area of ${a * b} square ${unit}. One side is ${a} ${unit}. And the other?`,
              `The area of a rectangular field is ${a * b} square ${unit} and its length ${a} ${unit}. Find its width.`,
            ])
          : random.pick([
              `A rectangle has a perimeter of ${2 * (a + b)} ${unit} and one side of ${a} ${unit}. Find the other.`,
              `A fence of ${2 * (a + b)} ${unit} goes around a rectangle that is ${a} ${unit} long. How wide is it?`,
            ]),
        steps: byArea
          ? [`${a * b} / ${a} = ${b}.`]
          : [`Half is ${2 * (a + b)} / 2 = ${a + b}.`, `${a + b} - ${a} = ${b}.`],
        answer: `${b} ${unit}`,
        check: () => (byArea ? Math.round((a * b) / a) === b : a + b + a + b === 2 * (a + b)),
      }
    },
  },
  {
    name: 'triangle',
    make(random) {
      const [base, height] = [random.between(2, 40), random.between(2, 40)]
      const unit = random.pick(['cm', 'm', 'inches'])
      const area = (base * height) / 2
      return {
        question: random.pick([
          `A triangle has a base of ${base} ${unit} and a height of ${height} ${unit}. What is its area?`,
          `Find the area of a triangle with base ${base} ${unit} and height ${height} ${unit}.`,
          `A triangular sail is ${base} ${unit} wide and ${height} ${unit} high. What is its area?`,
        ]),
        steps: [`${base} * ${height} = ${base * height}.`, `${base * height} / 2 = ${num(area)}.`],
        answer: `${num(area)} square ${unit}`,
        check: () => area + area === base * height,
      }
    },
  },
  {
    name: 'box volume',
    make(random) {
      const [a, b, c] = [random.between(2, 20), random.between(2, 20), random.between(2, 20)]
      const unit = random.pick(['cm', 'm', 'inches'])
      return {
        question: random.pick([
          `What is the volume of a box of ${a} by ${b} by ${c} ${unit}?`,
          `A tank is ${a} ${unit} long, ${b} ${unit} wide and ${c} ${unit} deep. How much does it hold?`,
          `A crate measures ${a}, ${b} and ${c} ${unit}. What is its volume?`,
        ]),
        steps: [
          `The bottom has ${a} * ${b} = ${a * b}.`,
          `Times the height: ${a * b} * ${c} = ${a * b * c}.`,
        ],
        answer: `${a * b * c} cubic ${unit}`,
        check: () => (a * b * c) / c / b === a,
      }
    },
  },
  {
    name: 'angles',
    make(random) {
      const straight = random.int(2) === 0
      const [a, b] = [random.between(200, 850) / 10, random.between(20, 85)]
      const last = straight ? 180 - a : 180 - a - b
      return {
        question: straight
          ? random.pick([
              `Two angles lie on a straight line. One is ${a} degrees. How large is the other?`,
              `An angle of ${a} degrees and its neighbour form a straight line. Find the neighbour.`,
            ])
          : random.pick([
              `Two angles of a triangle are ${a} and ${b} degrees. What is the third?`,
              `In a triangle one angle has ${a} degrees, another ${b}. What about the last one?`,
            ]),
        steps: straight
          ? [`180 - ${a} = ${num(last)}.`]
          : [`${a} + ${b} = ${num(a + b)}.`, `All three make 180: 180 - ${num(a + b)} = ${num(last)}.`],
        answer: `${num(last)} degrees`,
        check: () => last > 0 && Math.abs(a + last + (straight ? 0 : b) - 180) < 1e-9,
      }
    },
  },
  {
    name: 'polygon angles',
    weight: 0.06,
    make(random) {
      const sides = random.between(4, 24)
      return {
        question: random.pick([
          `What is the sum of the inner angles of a polygon with ${sides} sides?`,
          `How many degrees do the inner angles of a ${sides}-sided polygon have together?`,
        ]),
        steps: [
          `From one corner it can be cut into ${sides} - 2 = ${sides - 2} triangles.`,
          `${sides - 2} * 180 = ${(sides - 2) * 180}.`,
        ],
        answer: `${(sides - 2) * 180} degrees`,
        check: () => Math.abs(sides * (180 - 360 / sides) - (sides - 2) * 180) < 1e-6,
      }
    },
  },
  {
    name: 'right triangle',
    weight: 0.6,
    make(random) {
      const [m, n, k] = [random.between(2, 9), random.between(1, 8), random.between(1, 9)]
      const [p, q] = m > n ? [m, n] : [n + 1, m]
      const [a, b, c] = [k * (p * p - q * q), k * 2 * p * q, k * (p * p + q * q)]
      const longest = random.int(2) === 0
      const { name } = aPerson(random)
      return {
        question: longest
          ? random.pick([
              `The short sides of a right triangle are ${a} and ${b}. How long is the hypotenuse?`,
              `${name} walks ${a} metres east, then ${b} north. How far from the start is that?`,
            ])
          : random.pick([
              `A right triangle has a hypotenuse of ${c} and one leg of ${a}. How long is the other leg?`,
              `The foot of a ladder of ${c} feet is ${a} feet from the wall. How high does it reach?`,
            ]),
        steps: longest
          ? [
              `${a} * ${a} = ${a * a} and ${b} * ${b} = ${b * b}.`,
              `${a * a} + ${b * b} = ${c * c}.`,
              `${c} * ${c} = ${c * c}, so the root is ${c}.`,
            ]
          : [
              `${c} * ${c} = ${c * c} and ${a} * ${a} = ${a * a}.`,
              `${c * c} - ${a * a} = ${b * b}.`,
              `${b} * ${b} = ${b * b}, so the root is ${b}.`,
            ],
        answer: `${longest ? c : b}`,
        check: () => Math.abs(Math.hypot(a, b) - c) < 1e-9,
      }
    },
  },
  {
    name: 'distance of points',
    make(random) {
      const [x, y, dx, dy] = [random.int(15), random.int(15), random.between(1, 20), random.between(1, 20)]
      const midpoint = random.int(2) === 0
      const [u, v] = [x + 2 * dx, y + 2 * dy]
      return {
        question: midpoint
          ? random.pick([
              `What is the midpoint of (${x}, ${y}) and (${u}, ${v})?`,
              `Find the point halfway between (${x}, ${y}) and (${u}, ${v}).`,
            ])
          : random.pick([
              `A taxi goes along streets of a grid from (${x}, ${y}) to (${u}, ${v}). How many blocks is the shortest way?`,
              `On a grid you may only move right and up. How many steps are there from (${x}, ${y}) to (${u}, ${v})?`,
            ]),
        steps: midpoint
          ? [`Halfway across: (${x} + ${u}) / 2 = ${x + dx}.`, `Halfway up: (${y} + ${v}) / 2 = ${y + dy}.`]
          : [
              `Across: ${u} - ${x} = ${2 * dx}. Up: ${v} - ${y} = ${2 * dy}.`,
              `${2 * dx} + ${2 * dy} = ${2 * (dx + dy)}.`,
            ],
        answer: midpoint ? `(${x + dx}, ${y + dy})` : `${2 * (dx + dy)}`,
        check: () => u - (x + dx) === x + dx - x && v - (y + dy) === y + dy - y,
      }
    },
  },
]
