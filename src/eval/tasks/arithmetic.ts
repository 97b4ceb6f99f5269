import { sameAnswer } from '../answers.ts'
import type { GenerativeTask } from '../task.ts'

export interface ArithmeticItem {
  id: string
  question: string
  answer: string
}

/**
 * Held-out worked problems: the model writes its steps, the final answer must be the right one. `prompt` is how the
 * worked problems of the training text lead from a question to its steps.
 */
export function arithmeticTask(
  problems: readonly ArithmeticItem[],
  options: { maxTokens?: number; prompt?: (question: string) => string } = {},
): GenerativeTask {
  const { maxTokens = 72, prompt = (question) => `Problem: ${question}\nSolution:` } = options
  return {
    kind: 'generative',
    name: 'arithmetic',
    form: 'generative',
    shots: 0,
    maxTokens,
    stop: ['\n\n', '\nProblem:', '\nQuestion:'],
    items: problems.map(({ id, question, answer }) => ({
      id,
      prompt: prompt(question),
      question,
      gold: answer,
    })),
    isRight: sameAnswer,
  }
}
