import { num, type ProblemKind, plural } from './kind.ts'
import { aPerson, aPlace, weekdays } from './words.ts'

const UNITS: { large: string; small: string; factor: number }[] = [
  { large: 'kilometres', small: 'metres', factor: 1000 },
  { large: 'metres', small: 'centimetres', factor: 100 },
  { large: 'centimetres', small: 'millimetres', factor: 10 },
  { large: 'kilograms', small: 'grams', factor: 1000 },
  { large: 'litres', small: 'millilitres', factor: 1000 },
  { large: 'hours', small: 'minutes', factor: 60 },
  { large: 'minutes', small: 'seconds', factor: 60 },
  { large: 'days', small: 'hours', factor: 24 },
  { large: 'weeks', small: 'days', factor: 7 },
  { large: 'feet', small: 'inches', factor: 12 },
  { large: 'yards', small: 'feet', factor: 3 },
  { large: 'pounds', small: 'ounces', factor: 16 },
  { large: 'gallons', small: 'quarts', factor: 4 },
  { large: 'dozens', small: 'pieces', factor: 12 },
]

const HOURS = ['hour', 'hours'] as const

/** Units, time and the calendar. */
export const measures: ProblemKind[] = [
  {
    name: 'unit conversion',
    make(random) {
      const { large, small, factor } = random.pick(UNITS)
      const many = random.between(2, 90)
      const down = random.int(2) === 0
      const tenths = factor % 10 === 0 && random.int(2) === 0 ? random.int(10) / 10 : 0
      const amount = many + tenths
      const pieces = Math.round(amount * factor)
      const from = down ? `${num(amount)} ${large}` : `${pieces} ${small}`
      const to = down ? small : large
      const one = large === 'feet' ? 'foot' : large.slice(0, -1)
      return {
        question: random.pick([
          `Convert ${from} to ${to}.`,
          `How many ${to} are ${from}?`,
          `Write ${from} in ${to}.`,
          `${from} is how many ${to}?`,
        ]),
        steps: [
          `One ${one} has ${factor} ${small}.`,
          down ? `${num(amount)} * ${factor} = ${pieces}.` : `${pieces} / ${factor} = ${num(amount)}.`,
        ],
        answer: down ? `${pieces} ${small}` : `${num(amount)} ${large}`,
        check: () => Math.abs(pieces / factor - amount) < 1e-9,
      }
    },
  },
  {
    name: 'mixed units',
    make(random) {
      const { large, small, factor } = random.pick(
        UNITS.filter((unit) => unit.factor <= 60 && unit.large !== 'dozens'),
      )
      const [a, b] = [random.between(1, 20), random.between(1, 20)]
      const [x, y] = [random.int(factor), random.int(factor)]
      const total = (a + b) * factor + x + y
      const [whole, rest] = [Math.floor(total / factor), total % factor]
      const carried = x + y >= factor
      return {
        question: random.pick([
          `Add ${a} ${large} ${x} ${small} and ${b} ${large} ${y} ${small}.`,
          `One piece measures ${a} ${large} and ${x} ${small}, another ${b} ${large} and ${y} ${small}. How much is that together?`,
        ]),
        steps: [
          `${large}: ${a} + ${b} = ${a + b}. ${small}: ${x} + ${y} = ${x + y}.`,
          ...(carried
            ? [
                `${x + y} ${small} make one of the ${large} and leave ${x + y - factor}: ${x + y} - ${factor} = ${x + y - factor}.`,
              ]
            : []),
        ],
        answer: `${whole} ${large} ${rest} ${small}`,
        check: () => whole * factor + rest === a * factor + x + b * factor + y,
      }
    },
  },
  {
    name: 'time of day',
    make(random) {
      const [hour, minute] = [random.between(6, 19), random.int(60)]
      const minutes = random.between(15, 250)
      const end = hour * 60 + minute + minutes
      const clock = (time: number) => `${Math.floor(time / 60) % 24}:${String(time % 60).padStart(2, '0')}`
      const { name } = aPerson(random)
      const backward = random.int(2) === 0
      const [start, finish] = [clock(hour * 60 + minute), clock(end)]
      const hours = Math.floor(minutes / 60)
      const rest = minutes % 60
      const middle = hour * 60 + minute + hours * 60
      return {
        question: backward
          ? random.pick([
              `A film begins at ${start} and ends at ${finish}. How many minutes does it last?`,
              `${name} works from ${start} to ${finish}. How many minutes is that?`,
              `The train leaves at ${start} and arrives at ${finish}. How long is the ride in minutes?`,
            ])
          : random.pick([
              `It is ${start}. What time is it ${minutes} minutes later?`,
              `${name} leaves at ${start} and travels for ${minutes} minutes. When does the journey end?`,
              `A cake goes into the oven at ${start} and bakes for ${minutes} minutes. When is it done?`,
            ]),
        steps: backward
          ? [
              ...(hours > 0
                ? [`From ${start} to ${clock(middle)} is ${hours} * 60 = ${hours * 60} minutes.`]
                : []),
              `From ${clock(middle)} to ${finish} is ${rest} minutes.`,
              `${hours * 60} + ${rest} = ${minutes}.`,
            ]
          : [
              `${minutes} minutes are ${plural(hours, HOURS)} and ${rest} minutes, since ${hours} * 60 + ${rest} = ${minutes}.`,
              `${plural(hours, HOURS)} after ${start} is ${clock(middle)}.`,
              `${rest} minutes after that is ${finish}.`,
            ],
        answer: backward ? `${minutes} minutes` : finish,
        check: () => end - (hour * 60 + minute) === minutes && end < 24 * 60,
      }
    },
  },
  {
    name: 'day of the week',
    make(random) {
      const today = random.int(7)
      const days = random.between(8, 900)
      const later = random.int(2) === 0
      const rest = days % 7
      const answer = weekdays[(today + (later ? rest : 7 - rest)) % 7]
      return {
        question: later
          ? random.pick([
              `Today is ${weekdays[today]}. What day of the week is it in ${days} days?`,
              `If it is ${weekdays[today]} now, which weekday comes ${days} days later?`,
            ])
          : random.pick([
              `Today is ${weekdays[today]}. What day of the week was it ${days} days ago?`,
              `It is ${weekdays[today]}. Which weekday was ${days} days before?`,
            ]),
        steps: [
          `Whole weeks: 7 * ${(days - rest) / 7} = ${days - rest} days.`,
          `${days} - ${days - rest} = ${rest}, so count ${rest} ${later ? 'forward' : 'back'} from ${weekdays[today]}.`,
        ],
        answer,
        check: () => {
          let day = today
          for (let i = 0; i < days; i++) day = (day + (later ? 1 : 6)) % 7
          return weekdays[day] === answer
        },
      }
    },
  },
  {
    name: 'days between dates',
    make(random) {
      const year = random.between(1950, 2049)
      const start = Date.UTC(year, random.int(10), random.between(1, 28))
      const days = random.between(5, 75)
      const end = start + days * 86_400_000
      const [from, to] = [new Date(start), new Date(end)]
      const parts = monthParts(from, to)
      return {
        question: random.pick([
          `How many days are there from ${dateText(from)} to ${dateText(to)} ${to.getUTCFullYear()}?`,
          `${dateText(to)} is how many days after ${dateText(from)} ${from.getUTCFullYear()}?`,
        ]),
        steps: [
          ...parts.map((part) => part.text),
          ...(parts.length > 1 ? [`${parts.map((part) => part.days).join(' + ')} = ${days}.`] : []),
        ],
        answer: `${days} days`,
        check: () => parts.reduce((sum, part) => sum + part.days, 0) === days,
      }
    },
  },
  {
    name: 'leap years',
    weight: 0.12,
    make(random) {
      const year = random.int(3) === 0 ? random.between(16, 24) * 100 : random.between(1600, 2400)
      const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
      const steps =
        year % 4 !== 0
          ? [`${year} is not a multiple of 4: ${year} - ${year - (year % 4)} = ${year % 4}.`]
          : year % 100 !== 0
            ? [`${year} / 4 = ${year / 4}, so it is a multiple of 4.`, `It is not a multiple of 100.`]
            : [
                `${year} / 100 = ${year / 100}, so it is a multiple of 100.`,
                year % 400 === 0
                  ? `It is also a multiple of 400: ${year} / 400 = ${year / 400}.`
                  : `It is no multiple of 400.`,
              ]
      return {
        question: random.pick([
          `Is ${year} a leap year?`,
          `Does February of the year ${year} have 29 days?`,
          `Was or will ${year} be a leap year in the Gregorian calendar?`,
        ]),
        steps,
        answer: leap ? 'yes' : 'no',
        check: () => (new Date(Date.UTC(year, 1, 29)).getUTCDate() === 29) === leap,
      }
    },
  },
  {
    name: 'temperature change',
    make(random) {
      const start = random.between(-15, 20)
      const change = random.between(2, 18)
      const rises = random.int(2) === 0
      const end = rises ? start + change : start - change
      const place = aPlace(random)
      const [when, then] = random.pick([
        ['In the morning', 'by noon'],
        ['At midnight', 'by six'],
        ['On Monday', 'by Tuesday'],
      ])
      return {
        question: `${when} it is ${start} degrees at ${place}. ${random.pick([
          `The temperature ${rises ? 'rises' : 'falls'} by ${change} degrees ${then}. How warm is it then?`,
          `It gets ${change} degrees ${rises ? 'warmer' : 'colder'} ${then}. How warm is it?`,
        ])}`,
        steps: [
          random.pick([
            `Start at ${start} and go ${rises ? 'up' : 'down'} by ${change}.`,
            rises ? 'Warmer means adding.' : 'Colder means subtracting.',
          ]),
          `${start} ${rises ? '+' : '-'} ${change} = ${end}.`,
        ],
        answer: `${end} degrees`,
        check: () => Math.abs(end - start) === change && end > start === rises,
      }
    },
  },
  {
    name: 'map scale',
    make(random) {
      const scale = random.between(2, 60) * random.pick([5, 10, 20])
      const centimetres = random.between(2, 90)
      const metres = scale * centimetres
      const { name } = aPerson(random)
      return {
        question: random.pick([
          `On a plan, 1 cm stands for ${scale} metres. How far is a way of ${centimetres} cm?`,
          `A map shows ${scale} metres as 1 centimetre. How long is a path of ${centimetres} centimetres?`,
          `${name} draws ${scale} metres as 1 cm. How many metres are ${centimetres} cm on that drawing?`,
        ]),
        steps: [`${centimetres} * ${scale} = ${metres}.`],
        answer: `${metres} metres`,
        check: () => metres / centimetres === scale,
      }
    },
  },
]

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
)

function dateText(date: Date): string {
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`
}

/** The days from one date to the other, month by month. */
function monthParts(from: Date, to: Date): { days: number; text: string }[] {
  const parts: { days: number; text: string }[] = []
  let [year, month, day] = [from.getUTCFullYear(), from.getUTCMonth(), from.getUTCDate()]
  while (year !== to.getUTCFullYear() || month !== to.getUTCMonth()) {
    const length = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
    const left = length - day
    parts.push({
      days: left,
      text:
        day === 0
          ? `${MONTHS[month]} has ${length} days.`
          : `${MONTHS[month]} has ${length} days: ${length} - ${day} = ${left} are left.`,
    })
    day = 0
    month = (month + 1) % 12
    if (month === 0) year++
  }
  const last = to.getUTCDate() - day
  const text =
    day === 0 ? `In ${MONTHS[month]} there are ${last} more.` : `${to.getUTCDate()} - ${day} = ${last}.`
  return [...parts, { days: last, text }]
}
