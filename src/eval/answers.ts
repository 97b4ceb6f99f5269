/** True when the final answer of a completion is the gold one, form aside (commas, currency, a closing full stop). */
export function sameAnswer(completion: string, gold: string): boolean {
  const answer = finalAnswer(completion)
  if (answer === undefined) return false
  const wanted = normalise(gold)
  if (sameText(normalise(answer), wanted)) return true
  const numbers = answer.match(NUMBER)
  return NUMBER_ALONE.test(wanted) && numbers?.length === 1 && sameText(normalise(numbers[0]), wanted)
}

/**
 * The final answer of worked text: what follows the last `####` or the last `answer is` or `Answer:`, else the last
 * number; undefined when there is none of them.
 */
export function finalAnswer(text: string): string | undefined {
  const marked = [...text.matchAll(/####\s*([^\n]+)|\banswer(?:\s+is)?\s*:?\s+([^\n]+)/gi)].at(-1)
  if (marked !== undefined) return (marked[1] ?? marked[2]).trim()
  return text.match(NUMBER)?.at(-1)
}

const NUMBER = /-?\$?\d[\d,]*(?:\.\d+)?(?:\/\d+)?%?/g
const NUMBER_ALONE = /^-?\d+(?:\.\d+)?(?:\/\d+)?%?$/

/** The same characters, or two plain numbers of the same value. */
function sameText(one: string, other: string): boolean {
  return one === other || (one !== '' && other !== '' && Number(one) === Number(other))
}

function normalise(answer: string): string {
  return answer
    .trim()
    .toLowerCase()
    .replace(/^is\s+/, '')
    .replace(/[.!]+$/, '')
    .replace(/\$/g, '')
    .replace(/(\d),(?=\d{3})/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
}
