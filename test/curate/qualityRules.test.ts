import { describe, expect, it } from 'vitest'
import {
  c4Quality,
  codeQuality,
  fineWebQuality,
  gopherQuality,
  gopherRepetition,
  type Rule,
  type Verdict,
} from '../../src/curate/index.ts'
import { document } from './documents.ts'

async function verdictOn(rule: Rule, text: string): Promise<Verdict> {
  return (await rule.judge([document(text)]))[0]
}

/** The option that dropped a text, or `keep`. */
async function outcome(rule: Rule, text: string): Promise<string> {
  const verdict = await verdictOn(rule, text)
  return verdict.keep ? 'keep' : verdict.rule.split('.')[1]
}

/** English enough for every rule: 12 words a sentence, no repeated line. */
function prose(sentences: number): string {
  return Array.from(
    { length: sentences },
    (_, i) => `The traveller number${i} of these hills${i} would have to be patient${i} with rain${i}.`,
  ).join('\n')
}

describe('gopherQuality', () => {
  it('keeps plain prose', async () => {
    expect(await outcome(gopherQuality(), prose(8))).toBe('keep')
  })

  it('drops a text one word too short or too long and keeps its neighbour', async () => {
    const words = (count: number) => `the of ${'water '.repeat(count - 2)}`
    expect(await outcome(gopherQuality(), words(49))).toBe('minDocWords')
    expect(await outcome(gopherQuality(), words(50))).toBe('keep')
    expect(await outcome(gopherQuality({ maxDocWords: 60 }), words(60))).toBe('keep')
    expect(await outcome(gopherQuality({ maxDocWords: 60 }), words(61))).toBe('maxDocWords')
  })

  it('drops words that are too short or too long on average', async () => {
    expect(await outcome(gopherQuality(), 'to be '.repeat(40))).toBe('minAvgWordLength')
    expect(await outcome(gopherQuality(), `the of ${'extraordinary '.repeat(60)}`)).toBe('maxAvgWordLength')
  })

  it('drops hash marks, ellipses, bullet lists and lines that trail off', async () => {
    expect(await outcome(gopherQuality(), prose(8).replaceAll('would', '# # would'))).toBe(
      'maxSymbolWordRatio',
    )
    expect(await outcome(gopherQuality(), prose(8).replaceAll('would', '... … would'))).toBe(
      'maxSymbolWordRatio',
    )
    expect(await outcome(gopherQuality(), prose(20).replaceAll('The', '- The'))).toBe('maxBulletLinesRatio')
    const [bulleted, plain] = [prose(18).replaceAll('The', '• The'), prose(2)]
    expect(await outcome(gopherQuality(), `${bulleted}\n${plain}`)).toBe('keep')
    expect(await outcome(gopherQuality(), prose(20).replaceAll('.\n', ' …\n'))).toBe('maxEllipsisLinesRatio')
  })

  it('drops texts with few letters or no English', async () => {
    expect(await outcome(gopherQuality(), `the of ${'water 1234 '.repeat(40)}`)).toBe('maxNonAlphaWordsRatio')
    expect(await outcome(gopherQuality(), `the ${'water '.repeat(60)}`)).toBe('minStopWords')
    expect(await outcome(gopherQuality({ minStopWords: 0 }), 'water '.repeat(60))).toBe('keep')
  })

  it('says which number broke which limit', async () => {
    const verdict = await verdictOn(gopherQuality(), 'too short')
    expect(verdict).toEqual({ keep: false, rule: 'gopherQuality.minDocWords', value: 2, threshold: 50 })
  })
})

describe('gopherRepetition', () => {
  const noDupNGrams = { 5: 1, 6: 1, 7: 1, 8: 1, 9: 1, 10: 1 }
  const paragraphs = (count: number, name: string) =>
    Array.from({ length: count }, (_, i) =>
      Array.from({ length: 12 }, (_, word) => `${name}${i}word${word}`).join(' '),
    )

  it('keeps text that does not repeat itself', async () => {
    expect(await outcome(gopherRepetition(), paragraphs(30, 'p').join('\n\n'))).toBe('keep')
  })

  it('drops repeated paragraphs and lines above the limit and keeps them at it', async () => {
    const once = paragraphs(7, 'p')
    const rule = gopherRepetition({ dupNGrams: noDupNGrams, dupParaCharFrac: 1, dupLineCharFrac: 1 })
    const at = [...once, ...once.slice(0, 3)]
    expect(await outcome(rule, at.join('\n\n'))).toBe('keep')
    expect(await outcome(rule, [...at, once[0]].join('\n\n'))).toBe('dupParaFrac')
    expect(await outcome(rule, [...at, once[0]].join('\n'))).toBe('dupLineFrac')
  })

  it('drops one phrase said again and again', async () => {
    const unique = Array.from({ length: 30 }, (_, i) => `something${i} other${i}`)
    expect(await outcome(gopherRepetition(), unique.map((words) => `buy now ${words}`).join(' '))).toBe(
      'topNGrams',
    )
    const long = 'one longer phrase of nine words that comes twice'
    const rule = gopherRepetition({ topNGrams: { 2: 1, 3: false, 4: null } })
    expect(await outcome(rule, `${long} ${unique.slice(0, 8).join(' ')} ${long}`)).toBe('dupNGrams')
    expect(await outcome(rule, `${long} ${unique.join(' ')} ${long}`)).toBe('keep')
  })
})

describe('fineWebQuality', () => {
  it('keeps prose and drops navigation', async () => {
    expect(await outcome(fineWebQuality(), prose(8))).toBe('keep')
    const menu = ['Home', 'About us', 'Products', 'Contact', 'Imprint', 'Jobs', 'News'].join('\n')
    expect(await outcome(fineWebQuality(), menu)).toBe('linePunctThr')
    expect(await outcome(fineWebQuality({ linePunctThr: 0 }), menu)).toBe('shortLineThr')
    expect(await outcome(fineWebQuality({ linePunctThr: 0, shortLineThr: 1 }), menu)).toBe('newLineRatio')
  })

  it('drops repeated characters above the limit', async () => {
    const text = prose(8)
    expect(await outcome(fineWebQuality(), `${text}\n${text.split('\n')[0]}`)).toBe('charDuplicatesRatio')
    expect(
      await outcome(fineWebQuality({ charDuplicatesRatio: 0.2 }), `${text}\n${text.split('\n')[0]}`),
    ).toBe('keep')
  })
})

describe('c4Quality', () => {
  const good = 'This line has enough words and ends well. Here is another sentence.'
  const lines = (...extra: string[]) => [good, good, ...extra, good].join('\n')

  it('removes lines that are no sentences and keeps the rest', async () => {
    const noise = [
      'No full stop here',
      'Too short.',
      'We use javascript for this menu.',
      'This site uses cookies, you know.',
    ]
    const verdict = await verdictOn(
      c4Quality(),
      lines(...noise, 'Trailing off here is not good...', `${'x'.repeat(1001)} is a word.`),
    )
    expect(verdict).toEqual({ keep: true, changes: { text: lines() } })
  })

  it('takes citation marks out', async () => {
    const verdict = await verdictOn(
      c4Quality(),
      lines('Water is wet.[12][citation needed] It was said[edit] before.[]'),
    )
    expect(verdict).toEqual({ keep: true, changes: { text: lines('Water is wet. It was said before.') } })
  })

  it('drops filler text, code and what has too few sentences', async () => {
    expect(await outcome(c4Quality(), lines('Lorem ipsum dolor sit amet is filler.'))).toBe(
      'filterLoremIpsum',
    )
    expect(await outcome(c4Quality(), lines('An if (x) { is no prose.'))).toBe('filterCurlyBracket')
    expect(await outcome(c4Quality({ filterCurlyBracket: false }), lines('An if (x) { is no prose.'))).toBe(
      'keep',
    )
    expect(await outcome(c4Quality(), `${good}\n${good}`)).toBe('minNumSentences')
    expect(await outcome(c4Quality(), `${good}\n${good}\nFive sentences are enough here.`)).toBe('keep')
  })
})

describe('codeQuality', () => {
  const code = (lines: number) =>
    Array.from({ length: lines }, (_, i) => `  const total${i} = add(first${i}, second) // sum of both`).join(
      '\n',
    )

  it('keeps ordinary code', async () => {
    expect(await outcome(codeQuality(), code(20))).toBe('keep')
  })

  it('drops minified and generated files', async () => {
    expect(await outcome(codeQuality(), code(40).replaceAll('\n', ';'))).toBe('maxLineLength')
    expect(
      await outcome(
        codeQuality(),
        code(20)
          .replaceAll('\n  const', '; const')
          .replace(/(.{800});/g, '$1\n'),
      ),
    ).not.toBe('keep')
    expect(await outcome(codeQuality(), `// Code generated by x. DO NOT EDIT.\n${code(20)}`)).toBe(
      'maxGeneratedMarkers',
    )
  })

  it('drops embedded data and keeps short keys', async () => {
    const blob = 'QmFzZTY0IGlzIG5vdCB0ZXh0IGF0IGFsbCwgaXQgaXMgZGF0YQ0K'
    expect(await outcome(codeQuality(), `${code(20)}\nconst key = '${blob}${blob}'`)).toBe('keep')
    const wrapped = Array.from({ length: 30 }, () => blob + blob.slice(0, 24)).join('\n')
    expect(await outcome(codeQuality(), `${code(20)}\nconst image = \`\n${wrapped}\``)).toBe('maxEncodedRun')
    const bytes = Array.from({ length: 400 }, (_, i) => `0x${(i % 256).toString(16).padStart(2, '0')},`)
    expect(
      await outcome(codeQuality(), `${code(20)}\n${bytes.join(' ').replace(/(.{90}) /g, '$1\n')}`),
    ).not.toBe('keep')
    const table = Array.from({ length: 300 }, (_, i) => `${i * 37}, ${i * 91}`).join(',\n')
    expect(await outcome(codeQuality({ minAlphabeticFraction: 0 }), `${code(5)}\n[${table}]`)).toBe(
      'maxEncodedFraction',
    )
  })
})
