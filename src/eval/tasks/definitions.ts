import { Random } from '../../random/random.ts'
import type { ChoiceTask } from '../task.ts'

export interface DefinitionEntry {
  word: string
  /** All words of the entry, the first included. */
  words?: readonly string[]
  partOfSpeech: string
  gloss: string
}

export interface DefinitionsOptions {
  count: number
  seed: number
  choices?: number
  /** How the dictionary of the training text leads from a word to its gloss. */
  prompt?: (entry: DefinitionEntry) => string
}

/**
 * Word to gloss: which of four glosses belongs to the word? The wrong ones are glosses of other words of the same
 * part of speech and of about the same length. All come from held-out entries. As cloze for a base model, as an
 * answer for a chat model; a gloss counts by how much more likely the word makes it, because some glosses read well
 * after any word.
 */
export function definitionsTask(
  entries: readonly DefinitionEntry[],
  options: DefinitionsOptions,
): ChoiceTask {
  const {
    count,
    seed,
    choices = 4,
    prompt = (entry) => `${(entry.words ?? [entry.word]).join(', ')}:`,
  } = options
  const random = Random.derive(seed, 'definitions task')
  const byPart = groupByPart(entries)
  for (const same of byPart.values()) same.sort((a, b) => a.gloss.length - b.gloss.length || order(a, b))
  const asked = random.shuffle([...entries])
  const items: ChoiceTask['items'][number][] = []
  for (const entry of asked) {
    if (items.length >= count) break
    const wrong = distractors(entry, byPart.get(entry.partOfSpeech) ?? [], choices - 1, random)
    if (wrong.length < choices - 1) continue
    const gold = random.int(choices)
    const glosses = wrong.toSpliced(gold, 0, entry.gloss)
    items.push({
      id: `${entry.word}/${entry.partOfSpeech}`,
      prompt: prompt(entry),
      question: `What does "${entry.word}" mean?`,
      neutral: { prompt: 'word:', question: 'What does "word" mean?' },
      choices: glosses.map((gloss) => ` ${gloss}`),
      gold,
    })
  }
  return { kind: 'choice', name: 'definitions', form: 'cloze', shots: 0, normalisation: 'pmi', items }
}

/** Glosses of near length, so that length alone tells nothing; never of the word itself or of a synonym's gloss. */
function distractors(
  entry: DefinitionEntry,
  sorted: readonly DefinitionEntry[],
  count: number,
  random: Random,
): string[] {
  const at = sorted.indexOf(entry)
  const reach = 40
  const near = sorted.slice(Math.max(0, at - reach), at + reach + 1)
  const glosses = new Set(
    random
      .shuffle([...near])
      .filter((other) => other.word !== entry.word && other.gloss !== entry.gloss)
      .map((other) => other.gloss),
  )
  return [...glosses].slice(0, count)
}

function order(a: DefinitionEntry, b: DefinitionEntry): number {
  return a.gloss < b.gloss ? -1 : a.gloss > b.gloss ? 1 : a.word < b.word ? -1 : 1
}

// Map.groupBy came with Node 21.
function groupByPart(entries: readonly DefinitionEntry[]): Map<string, DefinitionEntry[]> {
  const groups = new Map<string, DefinitionEntry[]>()
  for (const entry of entries) {
    const group = groups.get(entry.partOfSpeech)
    if (group === undefined) groups.set(entry.partOfSpeech, [entry])
    else group.push(entry)
  }
  return groups
}
