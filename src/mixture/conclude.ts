import type { Ablation, AblationDifference } from './ablation.ts'

/**
 * What the differences say, in sentences. The verdict is on the mean over all domains: a candidate that helps its
 * own domain at the cost of the others is no gain.
 */
export function conclude(
  { candidate, share, tokens, seeds }: Pick<Ablation, 'candidate' | 'share' | 'tokens' | 'seeds'>,
  differences: readonly AblationDifference[],
): Pick<Ablation, 'verdict' | 'conclusion'> {
  const whole = differences.find(({ subject }) => subject === 'all domains') ?? differences[0]
  const verdict = !whole?.significant ? 'no significant difference' : whole.better ? 'better' : 'worse'
  const overall = {
    better: 'improves the mean over all domains',
    worse: 'makes the mean over all domains worse',
    'no significant difference': 'makes no significant difference to the mean over all domains',
  }[verdict]
  const significant = differences.filter((difference) => difference.significant && difference !== whole)
  const rest = differences.filter((difference) => !difference.significant && difference !== whole)
  const over = seeds.length > 1 ? `${seeds.length} seeds and over documents` : 'documents, of one seed'
  return {
    verdict,
    conclusion: [
      `${(100 * share).toFixed(0)} % of ${candidate} for ${tokens.toLocaleString('en-US')} tokens ${overall}${whole ? `: ${figures(whole)}` : ''}.`,
      ...significant.map(
        (difference) =>
          `${difference.subject}: significantly ${difference.better ? 'better' : 'worse'}, ${figures(difference)}.`,
      ),
      ...(rest.length > 0
        ? [
            `No significant difference: ${rest.map((difference) => `${difference.subject} (${figures(difference)})`).join('; ')}.`,
          ]
        : []),
      `Intervals of 95 % over ${over}.`,
    ],
  }
}

function figures({ measure, control, candidate, difference, low, high }: AblationDifference): string {
  const signed = (value: number) => `${value > 0 ? '+' : ''}${value.toFixed(3)}`
  return `${control.toFixed(3)} to ${candidate.toFixed(3)} ${measure}, ${signed(difference)} (${signed(low)} to ${signed(high)})`
}
