import { article, capital, money, num, type ProblemKind, plural } from './kind.ts'
import { aContainer, aPerson, aPlace, aThing, people, things, weekdays } from './words.ts'

/** Problems in the words of everyday life. */
export const stories: ProblemKind[] = [
  {
    name: 'gains and losses',
    make(random) {
      const person = aPerson(random)
      const friend = people(random, 2).find((other) => other.name !== person.name) ?? person
      const thing = aThing(random)
      const [, many] = thing
      let have = random.between(5, 90)
      const place = aPlace(random)
      const opening = random.pick([
        `${person.name} has ${plural(have, thing)}.`,
        `At ${place}, ${person.name} starts with ${plural(have, thing)}.`,
        `There were ${plural(have, thing)} in the basket of ${person.name}.`,
      ])
      const [sentences, steps]: [string[], string[]] = [[opening], []]
      const changes: number[] = []
      const start = have
      for (let i = random.between(2, 3); i > 0; i--) {
        const loses = have > 6 && random.int(2) === 0
        const amount = loses ? random.between(1, have - 1) : random.between(2, 60)
        changes.push(loses ? -amount : amount)
        sentences.push(
          loses
            ? random.pick([
                `${capital(person.they)} gives ${amount} to ${friend.name}.`,
                `Then ${amount} get lost.`,
                `${amount} of them are sold at ${place}.`,
                `${friend.name} takes ${amount} away.`,
              ])
            : random.pick([
                `${capital(person.they)} finds ${amount} more.`,
                `Then ${person.they} buys another ${amount}.`,
                `${friend.name} brings ${amount} new ones.`,
                `On ${random.pick(weekdays)} ${person.they} gets ${amount} as a present.`,
              ]),
        )
        steps.push(`${have} ${loses ? '-' : '+'} ${amount} = ${loses ? have - amount : have + amount}.`)
        have += loses ? -amount : amount
      }
      return {
        question: `${sentences.join(' ')} ${random.pick([
          `How many ${many} does ${person.name} have now?`,
          `How many ${many} are there in the end?`,
          `What number of ${many} is left with ${person.name}?`,
        ])}`,
        steps,
        answer: `${have}`,
        check: () => changes.reduce((sum, change) => sum + change, start) === have,
      }
    },
  },
  {
    name: 'equal groups',
    make(random) {
      const [box, boxes] = aContainer(random)
      const thing = aThing(random)
      const [count, each, extra] = [random.between(3, 40), random.between(3, 30), random.int(20)]
      const { name } = aPerson(random)
      const total = count * each + extra
      const more =
        extra === 0 ? '' : random.pick([` and ${extra} loose ones`, ` and ${extra} more beside them`])
      return {
        question: random.pick([
          `${name} has ${count} ${boxes} with ${each} ${thing[1]} in each${more}. How many ${thing[1]} is that?`,
          `There are ${count} ${boxes} of ${each} ${thing[1]}${more}. How many ${thing[1]} are there altogether?`,
          `Every ${box} holds ${each} ${thing[1]}. ${name} counts ${count} full ${boxes}${more}. What is the total?`,
        ]),
        steps: [
          `${count} * ${each} = ${count * each}.`,
          ...(extra > 0 ? [`${count * each} + ${extra} = ${total}.`] : []),
        ],
        answer: `${total}`,
        check: () => (total - extra) / each === count,
      }
    },
  },
  {
    name: 'sharing out',
    make(random) {
      const [box, boxes] = aContainer(random)
      const [, many] = aThing(random)
      const [each, count] = [random.between(3, 24), random.between(3, 40)]
      const rest = random.int(each)
      const total = each * count + rest
      const { name } = aPerson(random)
      const up = rest > 0 && random.int(2) === 0
      return {
        question: up
          ? random.pick([
              `${name} packs ${total} ${many} into ${boxes} of ${each}. How many ${boxes} are needed for all of them?`,
              `One ${box} takes ${each} ${many}. How many ${boxes} does ${name} need for ${total} ${many}?`,
            ])
          : random.pick([
              `${name} fills ${boxes} with ${each} ${many} each and has ${total} ${many}. How many ${boxes} get full?`,
              `How many full ${boxes} of ${each} can be made from ${total} ${many}?`,
            ]),
        steps: [
          rest === 0
            ? `${total} / ${each} = ${count}.`
            : `${each} * ${count} = ${each * count}, and ${total} - ${each * count} = ${rest}.`,
          ...(rest === 0
            ? []
            : [
                up
                  ? `The last ${rest} need one more: ${count} + 1 = ${count + 1}.`
                  : `The last ${rest} do not fill another ${box}.`,
              ]),
        ],
        answer: `${up ? count + 1 : count}`,
        check: () => (up ? Math.ceil(total / each) === count + 1 : Math.floor(total / each) === count),
      }
    },
  },
  {
    name: 'shopping',
    make(random) {
      const { name } = aPerson(random)
      const [first, second] = things(random, 2)
      const [n, m] = [random.between(2, 9), random.between(1, 9)]
      const [p, q] = [5 * random.between(5, 120), 5 * random.between(5, 120)]
      const total = n * p + m * q
      const paid = Math.ceil((total + 1) / 500) * 500 + (random.int(2) === 0 ? 0 : 500)
      const change = random.int(2) === 0
      return {
        question:
          random.pick([
            `${name} buys ${plural(n, first)} at ${money(p)} each and ${plural(m, second)} at ${money(q)} each.`,
            `At the shop ${article(first[0])} costs ${money(p)} and ${article(second[0])} ${money(q)}. ${name} takes ${plural(n, first)} and ${plural(m, second)}.`,
            `${name} orders ${plural(n, first)} for ${money(p)} apiece, and ${plural(m, second)} for ${money(q)} apiece.`,
          ]) +
          (change
            ? ` ${random.pick([`How much change is there from ${money(paid)}?`, `What is left of ${money(paid)}?`])}`
            : ` ${random.pick(['What does it cost in all?', 'How much is to be paid?', 'What is the bill?'])}`),
        steps: [
          `${n} * ${num(p / 100, 2)} = ${num((n * p) / 100, 2)} and ${m} * ${num(q / 100, 2)} = ${num((m * q) / 100, 2)}.`,
          `Together: ${num((n * p) / 100, 2)} + ${num((m * q) / 100, 2)} = ${num(total / 100, 2)}.`,
          ...(change
            ? [`${num(paid / 100, 2)} - ${num(total / 100, 2)} = ${num((paid - total) / 100, 2)}.`]
            : []),
        ],
        answer: money(change ? paid - total : total),
        check: () => paid > total && total - m * q === n * p,
      }
    },
  },
  {
    name: 'speed, distance, time',
    make(random) {
      const [speed, hours] = [random.between(3, 120), random.between(2, 12)]
      const distance = speed * hours
      const unit = random.pick([
        ['km', 'kilometres'],
        ['miles', 'miles'],
      ])
      const { name } = aPerson(random)
      const mover = random.pick([`A train`, `A bus`, `A ship`, name, `A cyclist`, `A lorry`])
      const asked = random.pick(['distance', 'time', 'speed'] as const)
      const questions = {
        distance: [
          `${mover} goes ${speed} ${unit[1]} an hour for ${hours} hours. How far is that?`,
          `How far does one get in ${hours} hours at ${speed} ${unit[0]} per hour?`,
        ],
        time: [
          `${mover} travels ${distance} ${unit[1]} at ${speed} ${unit[1]} an hour. How many hours does it take?`,
          `How long does a way of ${distance} ${unit[0]} take at ${speed} ${unit[0]} per hour, in hours?`,
        ],
        speed: [
          `${mover} covers ${distance} ${unit[1]} in ${hours} hours. What is the speed?`,
          `What is the average speed on a trip of ${distance} ${unit[0]} that took ${hours} hours?`,
        ],
      }
      const steps = {
        distance: `${speed} * ${hours} = ${distance}.`,
        time: `${distance} / ${speed} = ${hours}.`,
        speed: `${distance} / ${hours} = ${speed}.`,
      }
      const rule = {
        distance: 'Distance is speed times time.',
        time: 'Time is distance divided by speed.',
        speed: 'Speed is distance divided by time.',
      }
      const answer = {
        distance: `${distance} ${unit[0]}`,
        time: `${hours} hours`,
        speed: `${speed} ${unit[0]} per hour`,
      }
      return {
        question: random.pick(questions[asked]),
        steps: [...(random.int(2) === 0 ? [rule[asked]] : []), steps[asked]],
        answer: answer[asked],
        check: () => distance / hours === speed,
      }
    },
  },
  {
    name: 'meeting',
    make(random) {
      const [a, b, hours] = [random.between(3, 90), random.between(3, 90), random.between(1, 9)]
      const distance = (a + b) * hours
      const [one, other] = people(random, 2)
      return {
        question: random.pick([
          `Two towns are ${distance} km apart. Trains leave both at once, at ${a} and ${b} km per hour. When do they meet?`,
          `${one.name} and ${other.name} live ${distance} km apart and set out towards each other at ${a} and ${b} km an hour. When do they meet?`,
        ]),
        steps: [`Together: ${a} + ${b} = ${a + b} km an hour.`, `${distance} / ${a + b} = ${hours}.`],
        answer: plural(hours, ['hour', 'hours']),
        check: () => a * hours + b * hours === distance,
      }
    },
  },
  {
    name: 'working together',
    weight: 0.5,
    make(random) {
      const [workers, days, others] = [random.between(2, 12), random.between(2, 20), random.between(2, 12)]
      const needed = workers * days * others
      const work = workers * others * days
      const job = random.pick([
        'paint a hall',
        'dig a ditch',
        'pick a field of berries',
        'lay a floor',
        'build a wall',
      ])
      const time = workers * days
      return {
        question: random.pick([
          `${workers} people need ${days * others} days to ${job}. And ${workers * others} people?`,
          `It takes ${days * others} days for ${workers} people to ${job}. What if ${workers * others} people do it?`,
        ]),
        steps: [
          `One person needs ${workers} * ${days * others} = ${work} days.`,
          `${work} / ${workers * others} = ${days}.`,
        ],
        answer: plural(days, ['day', 'days']),
        check: () => needed === work && time * others === workers * others * days,
      }
    },
  },
  {
    name: 'ages',
    make(random) {
      const [child, times] = [random.between(3, 20), random.between(2, 5)]
      const elder = child * times
      const years = random.between(2, 25)
      const [one, other] = people(random, 2)
      const backwards = random.int(2) === 0
      return {
        question: backwards
          ? random.pick([
              `${one.name} is ${times} times as old as ${other.name}. Together they are ${elder + child}. How old is ${other.name}?`,
              `The ages of ${one.name} and ${other.name} add up to ${elder + child}, and ${one.name} is ${times} times as old. What is the age of ${other.name}?`,
            ])
          : random.pick([
              `${other.name} is ${child}. ${one.name} is ${times} times as old. How old will ${one.name} be in ${years} years?`,
              `${one.name} is ${times} times as old as ${other.name}, who is ${child}. What is the age of ${one.name} ${years} years from now?`,
            ]),
        steps: backwards
          ? [
              `Together they are 1 + ${times} = ${times + 1} times the age of ${other.name}.`,
              `${elder + child} / ${times + 1} = ${child}.`,
            ]
          : [`${times} * ${child} = ${elder}.`, `${elder} + ${years} = ${elder + years}.`],
        answer: `${backwards ? child : elder + years}`,
        check: () => elder / times === child,
      }
    },
  },
  {
    name: 'comparison',
    make(random) {
      const [one, other, third] = people(random, 3)
      const [, many] = aThing(random)
      const [first, more, times] = [random.between(3, 50), random.between(2, 40), random.between(2, 4)]
      const second = first + more
      const last = times * first
      const total = first + second + last
      return {
        question: random.pick([
          `${one.name} has ${first} ${many}. ${other.name} has ${more} more than ${one.name}, and ${third.name} has ${times} times as many as ${one.name}. How many do they have together?`,
          `${other.name} picked ${more} ${many} more than ${one.name}. ${third.name} picked ${times} times as many as ${one.name}, who picked ${first}. How many ${many} were picked?`,
        ]),
        steps: [
          `${other.name}: ${first} + ${more} = ${second}.`,
          `${third.name}: ${times} * ${first} = ${last}.`,
          `${first} + ${second} + ${last} = ${total}.`,
        ],
        answer: `${total}`,
        check: () => total - last - first - more === first,
      }
    },
  },
  {
    name: 'saving',
    make(random) {
      const { name, they } = aPerson(random)
      const [have, each, weeks] = [random.between(0, 80), random.between(3, 30), random.between(3, 26)]
      const goal = have + each * weeks
      const period = random.pick(['week', 'month', 'day'])
      const [thing] = aThing(random)
      return {
        question: random.pick([
          `${name} has saved $${have} and puts aside $${each} every ${period}. In how many ${period}s can ${they} pay $${goal}?`,
          `${capital(article(thing))} collection costs $${goal}. ${name} owns $${have} and saves $${each} a ${period}. How many ${period}s does it take?`,
        ]),
        steps: [`Still missing: ${goal} - ${have} = ${goal - have}.`, `${goal - have} / ${each} = ${weeks}.`],
        answer: plural(weeks, [period, `${period}s`]),
        check: () => {
          let sum = have
          for (let i = 0; i < weeks; i++) sum += each
          return sum === goal
        },
      }
    },
  },
  {
    name: 'simple interest',
    make(random) {
      const [amount, rate, years] = [
        100 * random.between(1, 60),
        random.between(1, 12),
        random.between(1, 10),
      ]
      const yearly = (amount * rate) / 100
      const total = random.int(2) === 0
      const { name } = aPerson(random)
      return {
        question:
          random.pick([
            `${name} lends $${amount} for ${years} years at ${rate}% simple interest.`,
            `A bank pays ${rate}% simple interest a year on $${amount} for ${years} years.`,
          ]) + (total ? ' What is it worth then?' : ' How much interest?'),
        steps: [
          `One year: ${amount} * ${rate} / 100 = ${yearly}.`,
          `${years} years: ${years} * ${yearly} = ${years * yearly}.`,
          ...(total ? [`${amount} + ${years * yearly} = ${amount + years * yearly}.`] : []),
        ],
        answer: `$${total ? amount + years * yearly : years * yearly}`,
        check: () => Math.abs(amount * (rate / 100) * years - years * yearly) < 1e-6,
      }
    },
  },
  {
    name: 'filling and emptying',
    make(random) {
      const [inflow, outflow, minutes] = [
        random.between(30, 200),
        random.between(1, 29),
        random.between(3, 60),
      ]
      const net = inflow - outflow
      const volume = net * minutes
      const vessel = random.pick(['tank', 'pool', 'barrel', 'bath', 'pond'])
      return {
        question: random.pick([
          `Into a ${vessel} run ${inflow} litres a minute, and ${outflow} litres a minute leak out. When does it hold ${volume} litres?`,
          `A ${vessel} of ${volume} litres gets ${inflow} litres each minute but loses ${outflow}. After how many minutes is it full?`,
        ]),
        steps: [`The gain is ${inflow} - ${outflow} = ${net} a minute.`, `${volume} / ${net} = ${minutes}.`],
        answer: `${minutes} minutes`,
        check: () => minutes * inflow - minutes * outflow === volume,
      }
    },
  },
]
