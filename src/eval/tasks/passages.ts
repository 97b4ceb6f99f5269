import { Random } from '../../random/random.ts'
import type { ChoiceItem, ChoiceTask } from '../task.ts'

export interface PassagesOptions {
  count: number
  seed: number
  choices?: number
  promptCharacters?: number
  choiceCharacters?: number
}

/**
 * Which of four texts goes on with a held-out passage? The cut falls between two words, the wrong texts are cut the
 * same way from other held-out documents: from several places of one where there are fewer than three others.
 */
export function passagesTask(
  documents: readonly { id: string; text: string }[],
  options: PassagesOptions,
): ChoiceTask {
  const { count, seed, choices = 4, promptCharacters = 320, choiceCharacters = 80 } = options
  const random = Random.derive(seed, 'passages task')
  const long = documents.filter(
    (document) => document.text.length >= 2 * (promptCharacters + choiceCharacters),
  )
  const items: ChoiceItem[] = []
  if (long.length < 2) return task(items)
  for (let i = 0; i < count; i++) {
    const document = long[i % long.length]
    const others = random.shuffle(long.filter((other) => other !== document))
    const { before, after } = cut(document.text, promptCharacters, choiceCharacters, random)
    const wrong = Array.from(
      { length: choices - 1 },
      (_, j) => cut(others[j % others.length].text, promptCharacters, choiceCharacters, random).after,
    )
    const gold = random.int(choices)
    items.push({
      id: `${document.id}/${i}`,
      prompt: before,
      question: `Continue this text: ${before}`,
      choices: wrong.toSpliced(gold, 0, after),
      gold,
    })
  }
  return task(items)
}

function task(items: readonly ChoiceItem[]): ChoiceTask {
  return { kind: 'choice', name: 'passages', form: 'cloze', shots: 0, normalisation: 'characters', items }
}

/** A passage and what follows it, with white space made single; `after` starts with its space. */
function cut(text: string, beforeLength: number, afterLength: number, random: Random) {
  const start = random.int(text.length - beforeLength - afterLength)
  const words = text
    .slice(start, start + 2 * (beforeLength + afterLength))
    .split(/\s+/)
    .slice(1)
  const before = take(words, beforeLength)
  const after = take(words.slice(before.length), afterLength)
  return { before: before.join(' '), after: ` ${after.join(' ')}` }
}

function take(words: readonly string[], characters: number): string[] {
  const taken: string[] = []
  for (let length = 0, i = 0; i < words.length && length < characters; i++) {
    taken.push(words[i])
    length += words[i].length + 1
  }
  return taken
}
