import { type Statistics, textStatistics } from './statistics.ts'

/**
 * Heuristic labels from 0 to 5 to start a quality classifier with when no person or large model has labelled
 * anything. An additive rubric in the spirit of FineWeb-Edu's prompt: a point for each kind of sign that explanatory
 * text shows, a point off for each that lists, boilerplate and generated files show. Such labels measure the signs,
 * not education; `readLabels` takes better ones.
 */
export function seedLabels(texts: readonly string[]): number[] {
  const statistics = textStatistics(texts)
  return texts.map((text, i) => {
    const signs = readSigns(text, statistics[i])
    const points = GOOD.filter(({ holds }) => holds(signs)).length
    const penalties = BAD.filter(({ holds }) => holds(signs)).length
    return Math.min(5, Math.max(0, points - penalties))
  })
}

/** What the rubric looks at: the rule statistics, and how often some phrasings come in a thousand words. */
interface Signs {
  get: Statistics['get']
  words: number
  explaining: number
  defining: number
  working: number
  paragraphs: number
  headings: number
}

/** One point each. */
const GOOD: readonly { sign: string; holds: (signs: Signs) => boolean }[] = [
  {
    sign: 'running text or commented code of some length',
    holds: ({ get, words }) => {
      const prose = get('linePunctRatio') >= 0.3 && get('alphaWordsRatio') >= 0.7
      return words >= 60 && (prose || get('commentLinesRatio') >= 0.12)
    },
  },
  { sign: 'explains: because, for example, that is', holds: ({ explaining }) => explaining >= 2 },
  { sign: 'defines: is a, means, returns, @param', holds: ({ defining }) => defining >= 4 },
  { sign: 'works something out: steps, examples, results', holds: ({ working }) => working >= 4 },
  {
    sign: 'has parts and does not repeat itself',
    holds: ({ get, paragraphs, headings }) =>
      (paragraphs >= 3 || headings >= 2) && get('dup10GramFraction') <= 0.05 && get('shortLineRatio') <= 0.67,
  },
]

/** One point off each. */
const BAD: readonly { sign: string; holds: (signs: Signs) => boolean }[] = [
  {
    sign: 'list or table',
    holds: ({ get }) =>
      get('digitFraction') > 0.2 ||
      get('bulletLinesRatio') > 0.5 ||
      (get('shortLineRatio') > 0.67 && get('linePunctRatio') < 0.1),
  },
  {
    sign: 'licence, generated or minified',
    holds: ({ get, words }) =>
      get('generatedMarkers') > 0 ||
      get('encodedFraction') > 0.2 ||
      (get('maxLineLength') > 5000 && get('stopWords') < 4) ||
      (get('licenceMarkers') >= 3 && words < 1500),
  },
  { sign: 'repeats itself', holds: ({ get }) => get('dup5GramFraction') > 0.25 },
]

/** As far as a text is read for phrasings, in UTF-16 units. */
const READ = 20_000
const EXPLAINING =
  /\b(?:because|therefore|thus|hence|since|so that|which means|in other words|that is|for example|for instance|such as|in order to|as a result|consequently|the reason|note that|recall|suppose|consider)\b|\be\.g\.|\bi\.e\./gi
const DEFINING =
  /\b(?:is|are) (?:an?|the|called|defined as|known as|used to)\b|\b(?:means|denotes|refers to|consists of|definition|returns?|computes?|represents?)\b|[@:](?:param|returns?)\b|\bArgs:/gi
const WORKING =
  /\b(?:step \d+|first,|second,|next,|then|finally|example|solution|answer|let us|we (?:get|have|find|see|know|obtain)|so there (?:is|are)|in total|how many|how much)\b|^\s*\d+[.)] |>>> |\d\s*[-+*/×]\s*\d+\s*=/gim

function readSigns(text: string, statistics: Statistics): Signs {
  const read = text.slice(0, READ)
  const words = statistics.get('words')
  const wordsRead = Math.max(50, (words * read.length) / Math.max(1, text.length))
  const rate = (phrasings: RegExp) => (1000 * (read.match(phrasings)?.length ?? 0)) / wordsRead
  return {
    get: (field) => statistics.get(field),
    words,
    explaining: rate(EXPLAINING),
    defining: rate(DEFINING),
    working: rate(WORKING),
    paragraphs: (read.match(/\S\n\s*\n\S/g)?.length ?? 0) + 1,
    headings: read.match(/^#{1,6} \S/gm)?.length ?? 0,
  }
}
