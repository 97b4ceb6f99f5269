import type { Random } from '../random/random.ts'
import { type Conversation, exchange } from './conversation.ts'
import type { DictionaryEntry } from './dictionary.ts'

/** A question on a word and the answer from its dictionary entry. The plain form is the one evaluation asks in. */
export function definitionPair(entry: DictionaryEntry, random: Random): Conversation {
  const { word, words, gloss, examples } = entry
  const others = words.slice(1)
  const a = random.int(12)
  if (a < 6) return exchange('definition', `What does "${word}" mean?`, gloss)
  if (a === 6) return exchange('definition', `Define "${word}".`, gloss)
  if (a === 7) return exchange('definition', `What is the meaning of the word ${word}?`, `${word}: ${gloss}`)
  if (a === 8 && examples.length > 0)
    return exchange('definition', `Use "${word}" in a sentence.`, examples[0])
  if (a === 9 && others.length > 0)
    return exchange('definition', `What is another word for "${word}"?`, others.join(', '))
  if (a === 10 && entry.partOfSpeech !== 'word')
    return exchange(
      'definition',
      `Explain the ${entry.partOfSpeech} "${word}" to me.`,
      `As ${/^[aeiou]/.test(entry.partOfSpeech) ? 'an' : 'a'} ${entry.partOfSpeech}, "${word}" means: ${gloss}`,
    )
  if (a === 11) return exchange('definition', `Which word means "${gloss}"?`, word)
  return exchange('definition', `What does "${word}" mean?`, gloss)
}

/** Entries that read well as answers and are none of those kept for evaluation, neither by word nor by gloss. */
export function usableEntries(
  entries: readonly DictionaryEntry[],
  heldOut: readonly { word: string; gloss: string }[],
): DictionaryEntry[] {
  const words = new Set(heldOut.map(({ word }) => word.toLowerCase()))
  const glosses = new Set(heldOut.map(({ gloss }) => gloss))
  return entries.filter(
    ({ words: own, gloss }) =>
      gloss.length >= 8 &&
      gloss.length <= 240 &&
      !glosses.has(gloss) &&
      !own.some((word) => words.has(word.toLowerCase())),
  )
}
