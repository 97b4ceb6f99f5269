import { HIGHEST_SCORE, LOWEST_SCORE } from './rubric.ts'

/**
 * The score of a judge's answer, or undefined when it has none: the last line that is not empty must be `Score: N`, N a
 * whole number from 0 to 5 (`/5`, bold and a full stop are let through). Nothing else counts: a judge that quotes the
 * document, or does not come to an end, has given no score.
 */
export function parseScore(answer: string): number | undefined {
  const lines = answer.trimEnd().split('\n')
  const last = /^[\s*_#>`-]*score[\s*_`]*[:=][\s*_`]*(\d+)(?:\s*\/\s*5)?[\s*_`.]*$/i.exec(lines.at(-1) ?? '')
  const score = Number(last?.[1])
  return last !== null && score >= LOWEST_SCORE && score <= HIGHEST_SCORE ? score : undefined
}
