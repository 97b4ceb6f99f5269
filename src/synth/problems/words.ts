import type { Random } from '../../random/random.ts'

export interface Person {
  name: string
  they: string
  their: string
}

const SHE =
  'Anna Maria Lena Sofia Grace Hannah Nora Clara Emma Julia Amina Fatima Priya Mei Yuki Ines Carmen Olga Zoe Leila Ruth Martha Alice Tara Freya Elena Rosa Ivy Nadia Hana Beth Chloe Dina Esther Flora Greta Heidi Iris Joan Kate'
const HE =
  'Ben Tom Ali Omar Raj Chen Kenji Luis Pedro Ivan Noah Liam Jack Oscar Felix Hugo Samir David Daniel Peter Paul Marco Andre Yusuf Kofi Jamal Ravi Leo Max Theo Sam Adam Boris Carl Diego Ethan Frank George Henry Isaac'
const PEOPLE: Person[] = [
  ...SHE.split(' ').map((name) => ({ name, they: 'she', their: 'her' })),
  ...HE.split(' ').map((name) => ({ name, they: 'he', their: 'his' })),
]

const THINGS =
  'apple pear plum orange lemon peach melon carrot onion potato egg cookie pancake sandwich marble button coin stamp card sticker pencil crayon book notebook envelope candle shell stone feather bead ribbon balloon kite toy brick tile nail screw bolt bottle jar cup plate spoon basket ticket badge photo map key lamp chair flower tulip rose seed bulb leaf acorn ball magnet battery cable postcard poster puzzle whistle flag bookmark sock scarf glove'
const IRREGULAR: Record<string, string> = {
  potato: 'potatoes',
  sandwich: 'sandwiches',
  peach: 'peaches',
  box: 'boxes',
  leaf: 'leaves',
  match: 'matches',
  battery: 'batteries',
  toy: 'toys',
  key: 'keys',
  brush: 'brushes',
}

const CONTAINERS: (readonly [string, string])[] = [
  ['box', 'boxes'],
  ['bag', 'bags'],
  ['crate', 'crates'],
  ['tray', 'trays'],
  ['shelf', 'shelves'],
  ['drawer', 'drawers'],
  ['row', 'rows'],
  ['packet', 'packets'],
  ['bucket', 'buckets'],
  ['case', 'cases'],
]

const PLACES =
  'the market,the school fair,the library,the farm,the garden,the harbour,the museum,the bakery,the workshop,the park,the station,the club,the village shop,the camp,the office,the orchard'.split(
    ',',
  )

export const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']

export const aPerson = (random: Random): Person => random.pick(PEOPLE)

/** Different people. */
export function people(random: Random, count: number): Person[] {
  const chosen = new Map<string, Person>()
  while (chosen.size < count) {
    const person = aPerson(random)
    chosen.set(person.name, person)
  }
  return [...chosen.values()]
}

/** A countable thing as `[one, many]`. */
export function aThing(random: Random): readonly [string, string] {
  const one = random.pick(THING_LIST)
  return [one, IRREGULAR[one] ?? `${one}s`]
}

export function things(random: Random, count: number): (readonly [string, string])[] {
  const chosen = new Map<string, readonly [string, string]>()
  while (chosen.size < count) {
    const thing = aThing(random)
    chosen.set(thing[0], thing)
  }
  return [...chosen.values()]
}

const THING_LIST = THINGS.split(' ')

export const aContainer = (random: Random) => random.pick(CONTAINERS)
export const aPlace = (random: Random) => random.pick(PLACES)
