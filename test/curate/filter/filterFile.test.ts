import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { convertCorpus } from '../../../src/corpus/index.ts'
import { chooseRules, filterFile, recutFile, ruleCatalogue } from '../../../src/curate/index.ts'
import { Random } from '../../../src/random/random.ts'

const folder = mkdtempSync(join(tmpdir(), 'smolforge-filter-'))
const ALL = 'gopher-quality,gopher-repetition,c4,fineweb'
const rules = (names = ALL, ...settings: string[]) => chooseRules(names.split(','), settings, ruleCatalogue)

interface Verdict {
  id: unknown
  keep: boolean
  rule: string | null
  value: number | null
}

const jsonLines = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

function write(name: string, lines: readonly (object | string)[]): string {
  const path = join(folder, name)
  writeFileSync(
    path,
    lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
  )
  return path
}

async function verdicts(input: string, chosen = rules(), options = {}): Promise<Verdict[]> {
  const output = `${input}.verdicts`
  await filterFile({ input, output, rules: chosen, ...options })
  return jsonLines(output) as Verdict[]
}

const PLACES = [
  'harbour',
  'market',
  'valley',
  'bridge',
  'garden',
  'castle',
  'forest',
  'island',
  'village',
  'station',
]
const DEEDS = [
  'waited',
  'slept',
  'sang',
  'rested',
  'worked',
  'traded',
  'painted',
  'argued',
  'listened',
  'studied',
]
const TIMES = [
  'winter',
  'spring',
  'summer',
  'autumn',
  'morning',
  'evening',
  'midnight',
  'noon',
  'harvest',
  'thunder',
]

/** English enough for every rule: a sentence a line, 14 words each. */
const prose = (sentences: number, name = 'walker') =>
  Array.from({ length: sentences }, (_, i) => {
    const pick = (words: readonly string[], step: number) => words[(i * step + step) % words.length]
    const deed = `Every ${name}${i} of ${pick(PLACES, 1)} ${pick(DEEDS, 7)} with ${pick(TIMES, 3)}${i}`
    return `${deed} and saw ${pick(PLACES, 7)}s be ${pick(DEEDS, 3)} near ${pick(TIMES, 9)}.`
  }).join('\n')

describe('smolforge filter', () => {
  it('gives each document, in order, the first rule that drops it and the number it looked at', async () => {
    const input = write('contract.jsonl', [
      { id: 'good', text: prose(8) },
      { id: 17, text: 'Too short.' },
      { id: 'menu', text: `${prose(8)}\n${'Home\n'.repeat(40)}` },
      { text: prose(9, 'rambler') },
    ])
    expect(await verdicts(input)).toEqual([
      { id: 'good', keep: true, rule: null, value: null },
      { id: 17, keep: false, rule: 'gopher-quality.min_doc_words', value: 2 },
      { id: 'menu', keep: false, rule: 'gopher-repetition.dup_line_frac', value: 39 / 49 },
      { id: 4, keep: true, rule: null, value: null },
    ])
  })

  it('shows the rules after C4 the text that C4 leaves, and writes that text', async () => {
    // Eight lines without an end mark are too few good lines for FineWeb, but C4 cuts them.
    const menu = Array.from({ length: 80 }, (_, i) => `line ${i} without an end mark at all`).join('\n')
    const input = write('order.jsonl', [{ id: 'a', text: `${menu}\n${prose(6)}` }])
    const texts = join(folder, 'texts.jsonl')
    expect((await verdicts(input, rules('fineweb,c4')))[0].rule).toBe('fineweb.line_punct_thr')
    expect((await verdicts(input, rules('c4,fineweb'), { texts }))[0].keep).toBe(true)
    expect(jsonLines(texts)).toEqual([{ id: 'a', text: prose(6) }])
    expect((await verdicts(input, rules('c4,fineweb', 'c4.filter_no_terminal_punct=false')))[0].rule).toBe(
      'fineweb.line_punct_thr',
    )
  })

  it('writes kept texts as they came in where no rule edits them, whatever form the input has', async () => {
    const documents = [
      { id: 'a"b', text: `${prose(6)}\t"é\\日😀\b\f\u0001` },
      { id: 17, text: 'Too short.' },
      { id: 18, text: prose(7, 'rambler') },
    ]
    const worded = documents.map((line) => ({ ...line, words: line.text.split(' ') }))
    const plain = write('whole.jsonl', worded)
    const texts = join(folder, 'whole.texts')
    const kept = documents.filter((_, i) => i !== 1)
    for (const options of [{}, { threads: 1 }, { words: 'words' }]) {
      await verdicts(plain, rules('gopher-quality'), { texts, ...options })
      expect(readFileSync(texts, 'utf8')).toBe(kept.map((line) => `${JSON.stringify(line)}\n`).join(''))
    }
    const strings = documents.map(({ id, text }) => ({ id: `${id}`, text }))
    write('whole-ids.jsonl', strings)
    const parquet = join(folder, 'whole.parquet')
    const source = { name: 'test', domain: 'text', licence: 'CC0-1.0', path: 'whole-ids.jsonl' }
    await convertCorpus(source, { cacheDir: folder, baseDir: folder, output: parquet })
    await verdicts(parquet, rules('gopher-quality'), { texts })
    expect(jsonLines(texts)).toEqual(strings.filter((_, i) => i !== 1))
  })

  it('decides the same whether it stops at the first broken limit or gets every number', async () => {
    const random = new Random(9)
    const pieces = [
      'menu - \n',
      '# ',
      'lorem ipsum ',
      '{',
      '… \n',
      '- point\n',
      '\n\n',
      'the same words again and again ',
    ]
    const documents = Array.from({ length: 400 }, (_, id) => {
      const piece = () => (pieces[random.int(pieces.length)] ?? '').repeat(random.int(9))
      return {
        id,
        text: `${piece()}${prose(random.int(12))}\n${piece()}${random.int(3) ? '' : prose(8)}${piece()}`,
      }
    })
    const input = write('stops.jsonl', documents)
    const [texts, values, domains] = ['texts', 'values', 'domains'].map((name) =>
      join(folder, `stops.${name}`),
    )
    for (const names of [ALL, 'c4,fineweb,gopher-quality', 'fineweb,gopher-repetition,c4']) {
      const every = await verdicts(input, rules(names), { texts, values, domains })
      const written = [texts, domains].map((path) => readFileSync(path, 'utf8'))
      expect(await verdicts(input, rules(names), { texts, domains })).toEqual(every)
      expect([texts, domains].map((path) => readFileSync(path, 'utf8'))).toEqual(written)
      expect(new Set(every.map(({ rule }) => rule)).size).toBeGreaterThan(4)
      expect(every.filter(({ keep }) => keep).length).toBeGreaterThan(4)
    }
  })

  it('judges anew from the numbers that it wrote, as if it had read the texts', async () => {
    const random = new Random(7)
    const documents = Array.from({ length: 200 }, (_, i) => ({
      id: `${i}`,
      text: `${prose(1 + random.int(12))}\n${'menu - \n'.repeat(random.int(20))}${'#'.repeat(random.int(30))}`,
    }))
    const input = write('recut.jsonl', documents)
    const values = join(folder, 'values.jsonl')
    await filterFile({ input, output: join(folder, 'first'), rules: rules(), values })
    const other = rules(
      ALL,
      'gopher-quality.min_doc_words=20',
      'c4.min_num_sentences=1',
      'fineweb.new_line_ratio=off',
    )
    const output = join(folder, 'second')
    await recutFile({ values, output, rules: other })
    const again = jsonLines(output)
    expect(again).toEqual(await verdicts(input, other))
    expect(again).not.toEqual(jsonLines(join(folder, 'first')))
    const counted = rules(ALL, 'c4.min_words_per_line=5')
    await expect(recutFile({ values, output, rules: counted })).rejects.toThrow(/how numbers are counted/)
    const code = rules('code')
    await expect(recutFile({ values, output, rules: code })).rejects.toThrow(/no number tokens/)
  })

  it('says the same of gzip and Parquet as of plain lines', async () => {
    const documents = Array.from({ length: 30 }, (_, i) => ({
      id: `d${i}`,
      text: prose(1 + (i % 9), `w${i}`),
    }))
    const input = write('plain.jsonl', documents)
    const plain = await verdicts(input)
    const gz = join(folder, 'packed.jsonl.gz')
    writeFileSync(gz, gzipSync(readFileSync(input)))
    expect(await verdicts(gz)).toEqual(plain)
    const parquet = join(folder, 'packed.parquet')
    const source = { name: 'test', domain: 'text', licence: 'CC0-1.0', path: 'plain.jsonl' }
    await convertCorpus(source, { cacheDir: folder, baseDir: folder, output: parquet })
    expect((await verdicts(parquet)).map(({ keep, rule }) => [keep, rule])).toEqual(
      plain.map(({ keep, rule }) => [keep, rule]),
    )
  })

  it('counts broken lines with their place and goes on', async () => {
    const input = write('broken.jsonl', [
      { id: 'a', text: prose(8) },
      '{"id":"b","text":"cut',
      { id: 'c', text: 'x' },
    ])
    const damages: { byteOffset: number }[] = []
    const output = join(folder, 'broken.out')
    const counts = await filterFile({
      input,
      output,
      rules: rules(),
      onDamage: (damage) => damages.push(damage),
    })
    expect(counts).toMatchObject({ documents: 2, kept: 1, damaged: 1 })
    expect(damages[0].byteOffset).toBe(Buffer.byteLength(`${JSON.stringify({ id: 'a', text: prose(8) })}\n`))
    expect(jsonLines(output)).toHaveLength(2)
  })

  it('tables what was kept of each domain', async () => {
    const input = write('domains.jsonl', [
      { id: 1, text: prose(8), url: 'https://www.Example.org:8080/a' },
      { id: 2, text: 'short', url: 'http://user@example.org/b?c' },
      { id: 3, text: 'short', url: 'https://other.net' },
      { id: 4, text: 'short' },
    ])
    const domains = join(folder, 'domains.out')
    await filterFile({ input, output: join(folder, 'd.out'), rules: rules(), domains })
    const short = 'gopher-quality.min_doc_words'
    expect(jsonLines(domains)).toMatchObject([
      { domain: 'example.org', documents: 2, kept: 1, keptShare: 0.5, droppedShares: { [short]: 0.5 } },
      { domain: '(none)', documents: 1, kept: 0, keptShare: 0, bytes: 5 },
      { domain: 'other.net', documents: 1, droppedShares: { [short]: 1 } },
    ])
  })

  it('counts the words that it is handed', async () => {
    const text = 'ab cd'
    const input = write('words.jsonl', [{ id: 'a', text, words: ['a', 'b', 'c', 'd'] }])
    const few = rules('gopher-quality', 'gopher-quality.min_doc_words=5')
    expect((await verdicts(input, few, { words: 'words' }))[0].value).toBe(4)
    expect((await verdicts(input, few))[0].value).toBe(2)
    const wrong = write('wrong.jsonl', [{ id: 'a', text, words: ['b', 'a'] }])
    await expect(verdicts(wrong, few, { words: 'words' })).rejects.toThrow(/does not hold its words/)
  })

  it('leaves nothing behind when the input cannot be read', async () => {
    const output = join(folder, 'never.out')
    await expect(filterFile({ input: join(folder, 'absent'), output, rules: rules() })).rejects.toThrow()
    expect(readdirSync(folder).filter((name) => name.includes('never'))).toEqual([])
  })
})

describe('the names of rules and parameters', () => {
  it('are datatrove names, and what is not there is refused with what is', () => {
    expect(rules('gopher-repetition', 'gopher-repetition.top_n_grams.2=0.5')[0].options).toEqual({
      'topNGrams.2': 0.5,
    })
    expect(rules('gopher-quality', 'gopher-quality.stop_words=der,die,das')[0].options.stopWords).toEqual([
      'der',
      'die',
      'das',
    ])
    expect(rules('fineweb', 'fineweb.stop_chars=.!')[0].options.stopChars).toBe('.!')
    expect(rules('c4', 'c4.filter_curly_bracket=False')[0].options.filterCurlyBracket).toBe(false)
    expect(() => rules('gofer')).toThrow(/no rule gofer/)
    expect(() => rules('c4', 'c4.min_word=3')).toThrow(/no parameter min_word/)
    expect(() => rules('c4', 'fineweb.new_line_ratio=1')).toThrow(/none of the rules/)
    expect(() => rules('fineweb', 'fineweb.new_line_ratio=much')).toThrow(/write a number/)
    expect(() => rules('c4', 'c4.min_words_per_line=few')).toThrow(/no value/)
  })
})
