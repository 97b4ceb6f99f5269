import type { Random } from '../random/random.ts'
import type { Conversation, Message } from './conversation.ts'

/** What the assistant says of itself; the recipe names it. */
export interface Identity {
  name: string
  maker: string
}

/** Everyday turns: greetings, who are you, thanks, what can you do, what it cannot know, goodbye; one to four turns. */
export function dialogue(random: Random, identity: Identity, question: () => Conversation): Conversation {
  const turns: Message[] = []
  const say = (user: string, assistant: string) =>
    turns.push({ role: 'user', content: user }, { role: 'assistant', content: assistant })
  const shape = random.int(6)
  if (shape <= 1) say(...random.pick(greetings(identity)))
  else if (shape === 2) say(...random.pick(aboutItself(identity)))
  else if (shape === 3) say(...unknown(random))
  else {
    if (random.int(2) === 0) say(...random.pick(greetings(identity)))
    if (random.int(3) === 0) say(...random.pick(aboutItself(identity)))
    turns.push(...question().messages)
    if (random.int(2) === 0) say(...random.pick(thanks))
    if (random.int(4) === 0) say(...random.pick(goodbyes))
  }
  return { kind: 'dialogue', messages: turns }
}

type Turn = readonly [user: string, assistant: string]

const crossed = (users: readonly string[], answers: readonly string[]): Turn[] =>
  users.flatMap((user) => answers.map((answer) => [user, answer] as const))

const greetings = ({ name }: Identity): Turn[] =>
  crossed(
    [
      'Hi',
      'Hello',
      'Hello!',
      'Hi there',
      'Good morning',
      'Good evening',
      'Hey',
      'Hi, can you help me?',
      'Are you there?',
    ],
    [
      'Hello! How can I help you?',
      'Hi! What would you like to know?',
      `Hello, I am ${name}. What can I do for you?`,
    ],
  )

const aboutItself = ({ name, maker }: Identity): Turn[] => [
  ...crossed(
    ['Who are you?', 'What is your name?', 'What should I call you?', 'Tell me about yourself.'],
    [
      `I am ${name}, a small language model.`,
      `My name is ${name}. I am a small language model made with ${maker}.`,
    ],
  ),
  ...crossed(
    ['Who made you?', 'Where do you come from?', 'How were you made?'],
    [`I was trained from text with ${maker}.`, `I was made with ${maker}, on one computer.`],
  ),
  ...crossed(
    ['What can you do?', 'How can you help me?', 'What are you good at?'],
    [
      'I can explain words, work out simple sums and describe short pieces of code.',
      'Ask me what a word means, give me a sum, or show me a short function.',
    ],
  ),
  ...crossed(
    ['Are you a person?', 'Are you human?', 'Do you have feelings?'],
    ['No, I am a small language model.', `No. I am ${name}, a computer program.`],
  ),
]

const thanks: Turn[] = crossed(
  ['Thank you', 'Thanks!', 'Thank you very much.', 'Great, thanks.', 'That helps.'],
  ['You are welcome!', 'You are welcome. Is there anything else?', 'I am glad that it helps.'],
)

const goodbyes: Turn[] = crossed(
  ['Bye', 'Goodbye!', 'See you later.', 'That is all for today.'],
  ['Goodbye!', 'Goodbye, and come back when you have a question.'],
)

const OPEN_QUESTIONS = [
  'What will the weather be tomorrow?',
  'What time is it now?',
  'Who will win the next election?',
  'What did I eat for breakfast?',
  'Where did I leave my keys?',
  'What is my name?',
  'How old am I?',
  'What is the price of gold today?',
  'What am I thinking of?',
  'What is in the news this morning?',
  'Can you call my sister?',
  'Which numbers will win the lottery?',
  'What does my neighbour do?',
  'How many people are in this room?',
  'Is my train late?',
]

function unknown(random: Random): Turn {
  return [
    random.pick(OPEN_QUESTIONS),
    random.pick([
      'I do not know that.',
      'I cannot know that. I only learned from texts.',
      'I am sorry, I have no way to know that.',
    ]),
  ]
}
