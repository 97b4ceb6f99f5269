import { Random } from '../random/random.ts'
import { codePair, type DocumentedFunction, documentedFunctions } from './code-pairs.ts'
import type { Conversation, ConversationKind } from './conversation.ts'
import { definitionPair, usableEntries } from './definitions.ts'
import { dialogue, type Identity } from './dialogue.ts'
import type { DictionaryEntry } from './dictionary.ts'
import { readingPair } from './reading.ts'
import { solutionText, workedProblems } from './worked-problems.ts'

export interface InstructionSources {
  /** Entries of training documents. */
  dictionary?: readonly DictionaryEntry[]
  /** Source files of training documents. */
  code?: readonly { text: string }[]
  /** Prose of training documents. */
  prose?: readonly { text: string }[]
}

export interface InstructionOptions {
  seed: number
  count: number
  /** Shares by kind; a kind without material gives its share to the others. */
  shares?: Partial<Record<ConversationKind, number>>
  /** Entries kept for evaluation: no conversation defines one of their words or uses one of their glosses. */
  heldOut?: readonly { word: string; gloss: string }[]
  identity?: Identity
}

const defaultShares: Record<ConversationKind, number> = {
  definition: 0.4,
  sum: 0.25,
  dialogue: 0.15,
  code: 0.1,
  reading: 0.1,
}

/**
 * Conversations for fine-tuning, made from the corpus: definitions, worked sums, descriptions of functions, reading
 * tasks and everyday dialogue, `count` in all, mixed by `shares` and shuffled. The same seed and sources give the
 * same conversations. Sums come from a stream of their own (`instruction sums`), apart from training and evaluation.
 */
export function instructionPairs(sources: InstructionSources, options: InstructionOptions): Conversation[] {
  const { seed, count, heldOut = [], identity = { name: 'Smol', maker: 'smolforge' } } = options
  const random = Random.derive(seed, 'instruction pairs')
  const problems = workedProblems(Random.derive(seed, 'instruction sums'), Number.POSITIVE_INFINITY)
  const entries = random.shuffle(usableEntries(sources.dictionary ?? [], heldOut))
  const functions = random.shuffle(distinctFunctions(sources.code ?? []))
  const prose = (sources.prose ?? []).filter(({ text }) => text.length > 400)

  const nextEntry = cycle(entries)
  const nextFunction = cycle(functions)
  const sum = (): Conversation => {
    const problem = problems.next().value
    if (problem === undefined) throw new Error('the stream of worked problems has no end')
    return {
      kind: 'sum',
      messages: [
        { role: 'user', content: problem.question },
        { role: 'assistant', content: solutionText(problem) },
      ],
    }
  }
  const definition = () => definitionPair(nextEntry(), random)
  const makers: Record<ConversationKind, (() => Conversation | undefined) | undefined> = {
    definition: entries.length > 0 ? definition : undefined,
    sum,
    dialogue: () => dialogue(random, identity, entries.length > 0 && random.int(2) === 0 ? definition : sum),
    code: functions.length > 0 ? () => codePair(nextFunction(), random) : undefined,
    reading: prose.length > 0 ? () => readingPair(random.pick(prose).text, random) : undefined,
  }
  return random.shuffle(drawByShare(makers, { ...defaultShares, ...options.shares }, count))
}

/** So many of each kind as its share says; what a kind cannot give goes to sums, which never run out. */
function drawByShare(
  makers: Record<ConversationKind, (() => Conversation | undefined) | undefined>,
  shares: Record<ConversationKind, number>,
  count: number,
): Conversation[] {
  const kinds = (Object.keys(shares) as ConversationKind[]).filter((kind) => makers[kind] && shares[kind] > 0)
  const total = kinds.reduce((sum, kind) => sum + shares[kind], 0)
  const made: Conversation[] = []
  let due = 0
  for (const kind of kinds) {
    due += (shares[kind] / total) * count
    const make = makers[kind]
    for (let tries = 0; make !== undefined && made.length < Math.round(due) && tries < 20 * count; tries++) {
      const conversation = make()
      if (conversation !== undefined) made.push(conversation)
    }
  }
  return made
}

function distinctFunctions(files: readonly { text: string }[]): DocumentedFunction[] {
  const byDescription = new Map<string, DocumentedFunction>()
  for (const { text } of files) {
    for (const found of documentedFunctions(text)) byDescription.set(found.description, found)
  }
  return [...byDescription.values()]
}

function cycle<T>(items: readonly T[]): () => T {
  let at = 0
  return () => items[at++ % items.length]
}
