import { Random } from '../random/random.ts'
import type { Conversation, Flaw, Message, PreferencePair } from './conversation.ts'

/**
 * Pairs for DPO: the last answer of a conversation against the same answer spoiled in a known way. Every pair is
 * checked: the two differ, the worse one has the flaw it is said to have. Conversations without a usable flaw are
 * passed over, so fewer than `count` may come.
 */
export function preferencePairs(
  conversations: readonly Conversation[],
  options: { seed: number; count: number },
): PreferencePair[] {
  const random = Random.derive(options.seed, 'preference pairs')
  const order = random.shuffle(conversations.map((_, i) => i))
  const pairs: PreferencePair[] = []
  for (const i of order) {
    if (pairs.length >= options.count) break
    const { messages, kind } = conversations[i]
    const last = messages.at(-1)
    if (last?.role !== 'assistant') continue
    const other = conversations[random.int(conversations.length)]
    const flaw = random.pick(flawsOf(conversations[i], other))
    const rejected = spoil[flaw](last.content, lastAnswer(other.messages), random)
    if (rejected === undefined || rejected.trim() === '' || rejected === last.content) continue
    pairs.push({ messages: messages.slice(0, -1), chosen: last.content, rejected, kind, flaw })
  }
  return pairs
}

/** Flaws that are flaws for certain: another's definition is wrong here, another kind's answer is off topic. */
function flawsOf(conversation: Conversation, other: Conversation): Flaw[] {
  const flaws: Flaw[] = ['repetition', 'cut short', 'no end']
  if (conversation.kind === 'sum') flaws.push('wrong number', 'wrong number')
  if (conversation.kind === 'definition' && other.kind === 'definition')
    flaws.push('wrong word', 'wrong word')
  if (conversation.kind !== other.kind && conversation.kind !== 'dialogue') flaws.push('off topic')
  return flaws
}

type Spoil = (answer: string, other: string, random: Random) => string | undefined

const spoil: Record<Flaw, Spoil> = {
  'wrong word': (_answer, other) => other,
  'off topic': (_answer, other) => other,
  'wrong number': (answer, _other, random) => {
    const mark = answer.lastIndexOf('Answer:')
    const numbers = [...answer.slice(mark + 1).matchAll(/\d+/g)]
    if (mark < 0 || numbers.length === 0) return undefined
    const chosen = random.pick(numbers)
    const at = mark + 1 + chosen.index
    const value = Number(chosen[0])
    const wrong = Math.max(0, value + random.pick([-10, -2, -1, 1, 2, 3, 10]))
    if (wrong === value) return undefined
    // The last step says the result too: a wrong answer that its own steps contradict would be too easy.
    const steps = answer.slice(0, at).replaceAll(new RegExp(`(= )${value}\\b(?![.]\\d)`, 'g'), `$1${wrong}`)
    return `${steps}${wrong}${answer.slice(at + chosen[0].length)}`
  },
  repetition: (answer, _other, random) => {
    const words = answer.split(' ')
    const piece = words.slice(0, random.between(2, 6)).join(' ')
    return new Array(random.between(3, 6)).fill(piece).join(' ')
  },
  'cut short': (answer, _other, random) => {
    const words = answer.split(' ')
    return words.length < 6
      ? undefined
      : words.slice(0, random.between(1, Math.floor(words.length / 2))).join(' ')
  },
  'no end': (answer, other) => (other === answer ? undefined : `${answer}\n${other}`),
}

function lastAnswer(messages: readonly Message[]): string {
  return messages.at(-1)?.content ?? ''
}
