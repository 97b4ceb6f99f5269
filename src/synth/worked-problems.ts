import { SmolforgeError } from '../errors.ts'
import type { Random } from '../random/random.ts'
import { problemKinds } from './problems/all-kinds.ts'
import { equationsHold } from './problems/equations.ts'
import { capital, type ProblemKind } from './problems/kind.ts'

/** A problem, its worked solution and its final answer, all of them checked. */
export interface WorkedProblem {
  kind: string
  question: string
  steps: string[]
  answer: string
  /** Question, steps and answer as a text to learn from, in one of several layouts. */
  text: string
}

/**
 * `count` worked problems of all kinds, each verified: the answer is worked out again in another way, and every
 * equation in the steps is evaluated.
 *
 * @throws SmolforgeError `internal` when a generator makes a wrong problem.
 */
export function* workedProblems(random: Random, count: number): Generator<WorkedProblem> {
  for (let i = 0; i < count; i++) yield workedProblem(random)
}

/** The solution as an answer in a chat: steps, then the answer. */
export function solutionText(problem: Pick<WorkedProblem, 'steps' | 'answer'>): string {
  return `${problem.steps.map(capital).join('\n')}\nAnswer: ${problem.answer}`
}

/**
 * Documents of the maths domain: four to six problems in one layout, of one kind or mixed. The same seed gives the
 * same texts.
 */
export function* problemDocuments(
  random: Random,
  count: number,
): Generator<{ id: string; text: string; meta: { domain: string; problems: number } }> {
  for (let i = 0; i < count; i++) {
    const layout = random.pick(layouts)
    const problems = random.between(4, 6)
    const same = random.int(5) === 0 ? drawKind(random).name : undefined
    const texts: string[] = []
    for (let k = 0; k < problems; k++) texts.push(layout(workedProblem(random, same), k + 1))
    yield { id: `${i}`, text: texts.join('\n\n'), meta: { domain: 'maths', problems } }
  }
}

function workedProblem(random: Random, kindName?: string): WorkedProblem {
  const kind = kindName === undefined ? drawKind(random) : find(kindName)
  const { question, steps, answer, check } = kind.make(random)
  if (!check() || !steps.every(equationsHold))
    throw new SmolforgeError(
      'internal',
      `A worked problem is wrong (${kind.name}): ${question} ${steps.join(' ')}`,
    )
  const problem = { kind: kind.name, question, steps, answer }
  return { ...problem, text: random.pick(layouts)(problem, random.between(1, 60)) }
}

const totalWeight = problemKinds.reduce((sum, kind) => sum + (kind.weight ?? 1), 0)

function drawKind(random: Random): ProblemKind {
  let at = random.float() * totalWeight
  for (const kind of problemKinds) {
    at -= kind.weight ?? 1
    if (at < 0) return kind
  }
  return problemKinds[0]
}

function find(name: string) {
  return problemKinds.find((kind) => kind.name === name) ?? problemKinds[0]
}

type Layout = (problem: Omit<WorkedProblem, 'text'>, number: number) => string

const lines = (steps: readonly string[]) => steps.map(capital).join('\n')
const running = (steps: readonly string[]) => steps.map(capital).join(' ')
const numbered = (steps: readonly string[]) => steps.map((step, i) => `${i + 1}. ${capital(step)}`).join('\n')
const sentence = (answer: string) => (answer.startsWith('so ') ? capital(answer) : `The answer is ${answer}`)

const layouts: readonly Layout[] = [
  ({ question, steps, answer }) => `Problem: ${question}\nSolution: ${running(steps)}\nAnswer: ${answer}`,
  ({ question, steps, answer }) => `Problem: ${question}\nSolution: ${running(steps)}\nAnswer: ${answer}`,
  ({ question, steps, answer }) => `Question: ${question}\n${lines(steps)}\nAnswer: ${answer}`,
  ({ question, steps, answer }) => `${question}\n${running(steps)} ${sentence(answer)}.`,
  ({ question, steps, answer }, number) =>
    `Exercise ${number}. ${question}\n${numbered(steps)}\n${sentence(answer)}.`,
  ({ question, steps, answer }) => `Q: ${question}\nA: ${running(steps)} ${sentence(answer)}.`,
  ({ question, steps, answer }, number) => `${number}) ${question}\n${lines(steps)}\nAnswer: ${answer}`,
]
