import type { Random } from '../random/random.ts'
import { type Conversation, exchange } from './conversation.ts'

const FIRST = [
  'What is the first sentence of this text?',
  'Copy the first sentence of the following text.',
  'How does this text begin?',
]
const LAST = ['What is the last sentence of this text?', 'How does this text end?']
const CONTINUE = ['Continue this text.', 'How might this go on?', 'Write the next sentence.']
const SHORT = ['Say in one sentence what this text is about.', 'Sum up the following text in one sentence.']

/** A small reading task on a passage of prose, answered from the passage; undefined when it has too few sentences. */
export function readingPair(text: string, random: Random, maxCharacters = 500): Conversation | undefined {
  const sentences = passage(text, random, maxCharacters)
  if (sentences.length < 3) return undefined
  const whole = sentences.join(' ')
  const [first, last] = [sentences[0], sentences[sentences.length - 1]]
  switch (random.int(5)) {
    case 0:
      return exchange('reading', `${random.pick(FIRST)}\n\n${whole}`, first)
    case 1:
      return exchange('reading', `${random.pick(LAST)}\n\n${whole}`, last)
    case 2:
      // The lead sentence is the classic one-sentence summary of a text.
      return exchange('reading', `${random.pick(SHORT)}\n\n${whole}`, first)
    default:
      return exchange('reading', `${random.pick(CONTINUE)}\n\n${sentences.slice(0, -1).join(' ')}`, last)
  }
}

/** Whole sentences in a row from somewhere in the text. */
function passage(text: string, random: Random, maxCharacters: number): string[] {
  const start = random.int(Math.max(1, text.length - 2 * maxCharacters))
  const piece = text.slice(start, start + 3 * maxCharacters).replace(/\s+/g, ' ')
  const sentences = piece.split(/(?<=[a-z)"'][.!?])\s+(?=[A-Z"'])/).slice(1, -1)
  const taken: string[] = []
  let length = 0
  for (const sentence of sentences) {
    if (length + sentence.length > maxCharacters) break
    taken.push(sentence)
    length += sentence.length + 1
  }
  return taken.every((sentence) => sentence.length >= 15) ? taken : []
}
