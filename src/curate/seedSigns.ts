import { seedLabels } from './seedLabels.ts'

export const criteria = ['edu', 'maths', 'code'] as const
/** What a classifier is to score: educational value of text, mathematical reasoning, teaching value of code. */
export type Criterion = (typeof criteria)[number]

/**
 * Labels from 0 to 5 by counted signs, for a first classifier where no person or large model has labelled anything.
 * They measure the signs and no more; labels of a judge (`smolforge label`) are the real thing.
 */
export function seedLabelsFor(criterion: Criterion, texts: readonly string[]): number[] {
  if (criterion === 'edu') return seedLabels(texts)
  const signs = criterion === 'maths' ? MATHS : CODE
  return texts.map((text) => {
    const read = text.slice(0, READ)
    return signs.filter((holds) => holds(read)).length
  })
}

/** As far as a text is read, in UTF-16 units. */
const READ = 20_000

const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0

/** A point each: mathematics at all, formulas, reasoning words, worked steps, a question with its answer. */
const MATHS: readonly ((text: string) => boolean)[] = [
  (text) =>
    count(
      text,
      /\b(?:equation|theorem|lemma|proof|fraction|triangle|integer|polynomial|derivative|integral|matrix|probability|algebra|geometry|calculus|arithmetic|multipl(?:y|ied)|divided by|square root|percent(?:age)?|sum of)\b/gi,
    ) >= 2 || count(text, /\d\s*[-+*/×÷]\s*\d+\s*=\s*\d/g) >= 2,
  (text) =>
    count(text, /\$[^$\n]+\$|\\\(|\\\[|\\(?:frac|sqrt|sum|int|begin\{)|[a-z]\^\{?\d|[a-z]\s*=\s*-?\d/g) >= 3,
  (text) =>
    count(
      text,
      /\b(?:therefore|thus|hence|since|because|so|let|suppose|then|if and only if|it follows|we (?:get|have|obtain|find|know|see|can))\b/gi,
    ) >= 4,
  (text) =>
    count(
      text,
      /\b(?:step \d|first|second|next|finally|substitut(?:e|ing)|simplif(?:y|ying)|solv(?:e|ing)|calculate|rearrang)\w*|=\s*<<|\d\s*[-+*/×÷]\s*\d+\s*=/gi,
    ) >= 3,
  (text) =>
    /\?|\b(?:find|prove|show that|solve|calculate|how (?:many|much))\b/i.test(text) &&
    /\b(?:answer|solution|result|proof|q\.?e\.?d|####)/i.test(text),
]

/** A point each: documented, explained, named in words, cut into small parts, shown by example. */
const CODE: readonly ((text: string) => boolean)[] = [
  (text) => /"""[\s\S]{30,}?"""|'''[\s\S]{30,}?'''|\/\*\*[\s\S]{30,}?\*\/|^\s*\/\/\/ .{20,}/m.test(text),
  (text) => {
    const lines = text.split('\n').filter((line) => line.trim() !== '')
    const comments = lines.filter((line) => /^\s*(?:#|\/\/|\/?\*|--|"""|''')/.test(line)).length
    return comments >= 3 && comments >= 0.08 * lines.length
  },
  (text) => count(text, /\b[a-z]+(?:_[a-z]+)+\b|\b[a-z]+(?:[A-Z][a-z]+)+\b/g) >= 8,
  (text) => {
    const functions = count(
      text,
      /^\s*(?:(?:public|private|static|async|export|pub) )*(?:def|func|function|fn|void|int|class)\b/gm,
    )
    return functions >= 2 && text.split('\n').length / functions <= 60
  },
  (text) => />>> |\bassert\b|\bexpect\(|\bexample\b|if __name__ ==|\bdoctest\b|\busage:/i.test(text),
]
