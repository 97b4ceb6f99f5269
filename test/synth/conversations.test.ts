import { describe, expect, it } from 'vitest'
import { definitionsTask, sameAnswer } from '../../src/eval/index.ts'
import { Random } from '../../src/random/random.ts'
import {
  type Conversation,
  dictionaryEntries,
  documentedFunctions,
  instructionPairs,
  preferencePairs,
} from '../../src/synth/index.ts'

const dictionaryText = `heath, heathland: a level tract of land with poor soil; "they walked over the heath"
lantern: a lamp that is carried in the hand
no entry on this line
kiln: an oven for baking clay; "the pots are in the kiln"; "a hot kiln"
quay, wharf, pier: a place where ships are tied up and unloaded
`
const entries = [
  ...dictionaryEntries({ id: 'wordnet:data.noun#1', text: dictionaryText, meta: {} }),
  ...Array.from({ length: 60 }, (_, i) => ({
    word: `word${i}`,
    words: [`word${i}`],
    partOfSpeech: 'noun',
    gloss: `the meaning of thing number ${i}`,
    examples: [`here is word${i}`],
  })),
]

const code = [
  {
    text: `
/**
 * Rounds a number to the nearest multiple of another. Ties go up.
 *
 * @param {number} x - value
 */
export function roundTo(x, step) {
  return Math.round(x / step) * step
}

/*
** Return the length of a string without its zero.
*/
static int stringLength(const char *z){
  int n = 0;
  while( z[n] ) n++;
  return n;
}
`,
  },
]
const prose = [
  {
    text: 'The sea was calm that morning. A boat lay near the shore. Two men sat in it and mended a net. They did not speak. '
      .repeat(1)
      .concat(
        'The sun rose over the hills. Birds came from the north. A child ran along the beach. '.repeat(8),
      ),
  },
]
const sources = { dictionary: entries, code, prose }

describe('dictionary documents', () => {
  it('give their entries with words, part of speech, gloss and examples', () => {
    const [heath, lantern, kiln, quay] = entries
    expect(heath).toEqual({
      word: 'heath',
      words: ['heath', 'heathland'],
      partOfSpeech: 'noun',
      gloss: 'a level tract of land with poor soil',
      examples: ['they walked over the heath'],
    })
    expect(lantern.examples).toEqual([])
    expect(kiln.examples).toEqual(['the pots are in the kiln', 'a hot kiln'])
    expect(quay.words).toHaveLength(3)
  })
})

describe('documented functions', () => {
  it('come with the first sentence of their comment and their code', () => {
    const found = documentedFunctions(code[0].text)
    expect(found.map(({ name, language }) => [name, language])).toEqual([
      ['roundTo', 'js'],
      ['stringLength', 'c'],
    ])
    expect(found[0].description).toBe('Rounds a number to the nearest multiple of another.')
    expect(found[0].code).toContain('return Math.round(x / step) * step\n}')
    expect(found[1].code.startsWith('static int stringLength')).toBe(true)
  })
})

describe('instruction pairs', () => {
  const heldOut = entries.slice(0, 2)
  const conversations = instructionPairs(sources, { seed: 3, count: 1000, heldOut })
  const text = (conversation: Conversation) => conversation.messages.map(({ content }) => content).join('\n')

  it('are of every kind in their shares and end with an answer', () => {
    expect(conversations).toHaveLength(1000)
    const share = (kind: string) => conversations.filter((conversation) => conversation.kind === kind).length
    expect(share('definition')).toBe(400)
    expect(share('sum')).toBe(250)
    expect(share('code')).toBe(100)
    for (const { messages } of conversations) {
      expect(messages.map(({ role }) => role)).toEqual(
        messages.map((_, i) => (i % 2 === 0 ? 'user' : 'assistant')),
      )
      expect(messages.length % 2).toBe(0)
      for (const { content } of messages) expect(content.trim()).not.toBe('')
    }
    expect(conversations.some(({ messages }) => messages.length > 2)).toBe(true)
  })

  it('never define a held-out word', () => {
    for (const conversation of conversations) {
      expect(text(conversation)).not.toContain('heath')
      expect(text(conversation)).not.toContain('lantern')
    }
    expect(conversations.some((conversation) => text(conversation).includes('kiln'))).toBe(true)
  })

  it('give sums with their right answer', () => {
    for (const { kind, messages } of conversations) {
      if (kind === 'sum') expect(messages[1].content).toMatch(/\nAnswer: \S/)
    }
  })

  it('ask for a definition in the words of the evaluation, so that the test is of knowledge, not of wording', () => {
    const [item] = definitionsTask(entries.slice(4), { count: 1, seed: 1 }).items
    const asked = conversations.map(({ messages }) => messages[0].content)
    expect(asked).toContain(item.question)
  })

  it('are the same for the same seed', () => {
    expect(instructionPairs(sources, { seed: 3, count: 1000, heldOut })).toEqual(conversations)
    expect(instructionPairs(sources, { seed: 4, count: 1000, heldOut })).not.toEqual(conversations)
  })

  it('come from sums and dialogue alone when the corpus has no dictionary, code or prose', () => {
    const kinds = new Set(instructionPairs({}, { seed: 1, count: 50 }).map(({ kind }) => kind))
    expect([...kinds].sort()).toEqual(['dialogue', 'sum'])
  })
})

describe('preference pairs', () => {
  const conversations = instructionPairs(sources, { seed: 5, count: 1500 })
  const pairs = preferencePairs(conversations, { seed: 5, count: 800 })

  it('have a worse answer with the flaw it is said to have', () => {
    expect(pairs).toHaveLength(800)
    const finalAnswer = (answer: string) => answer.slice(answer.lastIndexOf('Answer:') + 7).trim()
    for (const { messages, chosen, rejected, flaw, kind } of pairs) {
      expect(messages.at(-1)?.role).toBe('user')
      expect(rejected).not.toBe(chosen)
      expect(rejected.trim()).not.toBe('')
      if (flaw === 'wrong number') expect(sameAnswer(rejected, finalAnswer(chosen)), chosen).toBe(false)
      if (flaw === 'cut short') expect(chosen.startsWith(rejected)).toBe(true)
      if (flaw === 'no end') expect(rejected.startsWith(chosen)).toBe(true)
      if (flaw === 'wrong word') expect(kind).toBe('definition')
    }
    expect(new Set(pairs.map(({ flaw }) => flaw)).size).toBe(6)
  })

  it('are the same for the same seed', () => {
    expect(preferencePairs(conversations, { seed: 5, count: 800 })).toEqual(pairs)
  })

  it('reject a wrong number whatever the seed', () => {
    for (let seed = 0; seed < 5; seed++) {
      const random = Random.derive(seed, 'more pairs')
      for (const pair of preferencePairs(conversations, { seed: random.int(1000), count: 300 }))
        if (pair.flaw === 'wrong number')
          expect(sameAnswer(pair.rejected, pair.chosen.split('Answer:')[1])).toBe(false)
    }
  })
})
