import type { Random } from '../../src/random/random.ts'

const WORDS =
  'water light school plant number river stone engine letter market window garden planet music doctor history colour winter forest village machine picture teacher island mountain question answer energy weather animal bridge metal paper travel island harbour kitchen valley student reason measure surface'.split(
    ' ',
  )
const OPENINGS = ['The', 'This', 'In the', 'With the', 'For the', 'When the', 'That', 'Of the']
const LINKS = [
  'of the',
  'and the',
  'that is in the',
  'to the',
  'which was with a',
  'have been for the',
  'on the',
]

/** English-like text that passes the quality rules: sentences of common words, one paragraph a line. */
export function prose(random: Random, sentences = 14): string {
  const word = () => WORDS[random.int(WORDS.length)]
  const sentence = () => {
    const opening = OPENINGS[random.int(OPENINGS.length)]
    const parts = Array.from({ length: 3 }, () => `${word()} ${LINKS[random.int(LINKS.length)]} ${word()}`)
    return `${opening} ${parts.join(' ')}.`
  }
  const paragraphs: string[] = []
  for (let i = 0; i < sentences; i += 4) paragraphs.push(Array.from({ length: 4 }, sentence).join(' '))
  return paragraphs.join('\n')
}

/** The same with what a page that teaches says. */
export function lesson(random: Random): string {
  return `${prose(random, 8)}\nFor example, the reason is that this means the answer, because the definition explains each step. Therefore the theory of the ${WORDS[random.int(WORDS.length)]} is known as a lesson for students.`
}

/** A worked problem in the midst of prose. */
export function worked(random: Random): string {
  const [a, b] = [2 + random.int(90), 2 + random.int(90)]
  return `${prose(random, 4)}\nFind the sum of the equation $x = ${a} + ${b}$ and the fraction. First we have ${a} + ${b} = ${a + b}, therefore $x = ${a + b}$ and so, since ${a + b} * 2 = ${2 * (a + b)}, we obtain the solution: the answer is $x^2 = ${(a + b) ** 2}$. Hence the theorem.`
}
