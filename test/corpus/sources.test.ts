import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { formatEntry, readWordNet, sourceSchema } from '../../src/corpus/index.ts'
import { fixtures, readAll, temporaryFolder } from './collect.ts'

describe('a source in a recipe', () => {
  const good = { name: 'a', domain: 'prose', licence: 'MIT', path: 'x' }

  test('says exactly one place where its documents come from', () => {
    expect(sourceSchema.safeParse(good).success).toBe(true)
    const messages = (source: object) =>
      sourceSchema
        .safeParse(source)
        .error?.issues.map((issue) => issue.message)
        .join('; ') ?? ''
    expect(messages({ ...good, path: undefined })).toContain(
      'exactly one of npm, path, git, hub, s3 and generate',
    )
    expect(messages({ ...good, generate: 'x', documents: 3 })).toContain('exactly one')
    expect(messages({ ...good, path: undefined, npm: 'a@1.2.3' })).toContain('npm and integrity go together')
    expect(messages({ ...good, path: undefined, npm: 'a@^1.2.3', integrity: 'md5' })).toMatch(
      /exact version.*sha512/,
    )
    expect(messages({ ...good, path: undefined, generate: 'x' })).toContain('documents')
    expect(messages({ ...good, colour: 'red' })).toContain('colour')
  })
})

describe('reading files', () => {
  test('every text file is a document with its source, licence and path', async () => {
    const { documents, damages } = await readAll({ name: 'essays', path: 'prose' })
    expect(damages).toEqual([])
    expect(documents).toHaveLength(10)
    expect(documents[0]).toMatchObject({
      id: 'essays:bees.txt',
      source: 'essays',
      licence: 'Apache-2.0',
      scores: {},
      meta: { domain: 'test', path: 'bees.txt' },
    })
    expect(documents[0]?.text).toBe(await readFile(join(fixtures, 'prose/bees.txt'), 'utf8'))
  })

  test('code files know their language and minified ones are left out', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'a.ts'), 'export const a = 1\n')
    await writeFile(join(folder, 'b.min.js'), 'var a=1')
    await writeFile(join(folder, 'c.js'), `var a=[${'1,'.repeat(5000)}]`)
    await writeFile(join(folder, 'notes.txt'), 'no code')
    const { documents, skipped } = await readAll({ name: 'code', path: folder, reader: 'code' })
    expect(documents.map((document) => [document.id, document.meta.language])).toEqual([
      ['code:a.ts', 'typescript'],
    ])
    expect(skipped.sort()).toEqual(['minified code', 'minified code', 'not for the code reader'])
    const fixture = await readAll({ name: 'code', path: 'code' })
    expect(new Set(fixture.documents.map((document) => document.meta.language))).toEqual(
      new Set(['c', 'python', 'javascript']),
    )
  })

  test('a long file is cut at natural borders and no character is lost', async () => {
    const folder = await temporaryFolder()
    const paragraph = `${'A sentence of some length that stands in a paragraph 😀. '.repeat(20)}\n\n`
    await writeFile(join(folder, 'book.txt'), paragraph.repeat(300))
    const code = `/** Does nothing. */\nexport function nothing(): void {\n  return\n}\n\n`.repeat(3000)
    await writeFile(join(folder, 'big.ts'), code)
    const { documents } = await readAll({ name: 'long', path: folder })
    const parts = (name: string) => documents.filter((document) => document.meta.path === name)
    expect(
      parts('book.txt')
        .map((document) => document.text)
        .join(''),
    ).toBe(paragraph.repeat(300))
    expect(
      parts('big.ts')
        .map((document) => document.text)
        .join(''),
    ).toBe(code)
    expect(parts('book.txt').length).toBeGreaterThan(2)
    for (const { text } of parts('book.txt')) expect(text.endsWith('\n\n')).toBe(true)
    for (const { text } of parts('big.ts')) expect(text.startsWith('/** Does nothing')).toBe(true)
    expect(new Set(documents.map((document) => document.id)).size).toBe(documents.length)
  })

  test('include and exclude choose files, and choosing none is an error that says so', async () => {
    const { documents } = await readAll({
      name: 'a',
      path: '.',
      include: ['**/*.{py,c}'],
      exclude: ['code/w*'],
    })
    expect(documents.map((document) => document.meta.path)).toEqual(
      ['code/graph.py', 'code/heap.c', 'code/ring.c', 'code/statistics.py', 'code/strings.c'].sort((a, b) =>
        a < b ? -1 : 1,
      ),
    )
    await expect(readAll({ name: 'a', path: '.', include: ['*.xyz'] })).rejects.toMatchObject({
      code: 'input',
    })
    await expect(readAll({ name: 'a', path: 'missing' })).rejects.toMatchObject({ code: 'input' })
  })

  test('a source ends at its limits of documents and bytes', async () => {
    expect((await readAll({ name: 'a', path: 'prose', maxDocuments: 3 })).documents).toHaveLength(3)
    expect((await readAll({ name: 'a', path: 'prose', maxBytes: 5000 })).documents).toHaveLength(2)
  })

  test('line ends, foreign charsets and unreadable characters come out as one kind of text', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'dos.txt'), 'one\r\ntwo\r\n')
    await writeFile(
      join(folder, 'latin.txt'),
      Buffer.from('Un café à la crème, très bon, déjà fini.', 'latin1'),
    )
    await writeFile(join(folder, 'mark.txt'), '\uFEFFwith a mark')
    await writeFile(join(folder, 'picture.txt'), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0xff, 0]))
    const { documents, damages } = await readAll({ name: 'a', path: folder })
    expect(documents.map((document) => document.text)).toEqual([
      'one\ntwo\n',
      'Un café à la crème, très bon, déjà fini.',
      'with a mark',
    ])
    expect(damages).toMatchObject([{ byteOffset: 0, bytesLost: 8, reason: 'no text' }])
  })

  test('Markdown keeps prose, code and formulas and loses comments, badges and link targets', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'a'))
    const markdown = [
      '<!-- licence -->\n# Sum\n\n[![build][badge]][url]\n\n<section class="intro">\n',
      'The [sum][sum] of a [series](https://a.example/x).\n',
      '<div class="equation" align="center" data-raw-text="a &lt; \\sum_i b_i" data-equation="eq:x">\n<img src="x.svg">\n</div>\n',
      '```js\n// <!-- not a comment -->\nvar a = b[ 0 ][ 1 ];\n```\n',
      '</section>\n\n* * *\n\n[sum]: https://a.example/sum\n[badge]: https://b.example\n',
    ].join('\n')
    await writeFile(join(folder, 'a/README.md'), markdown)
    const { documents } = await readAll({ name: 'docs', path: folder })
    expect(documents[0]?.text).toBe(
      '# Sum\n\nThe sum of a series.\n\n$$a < \\sum_i b_i$$\n\n```js\n// <!-- not a comment -->\nvar a = b[ 0 ][ 1 ];\n```',
    )
  })

  test('a generator makes the documents of a source from the seed', async () => {
    const generator = function* (name: string, count: number, seed: number) {
      for (let i = 0; i < count; i++) yield { id: String(i), text: `${name} ${seed} ${i}` }
    }
    const source = { name: 'made', generate: 'sums', documents: 3 }
    const { documents } = await readAll(source, { generator, seed: 7 })
    expect(documents.map((document) => document.text)).toEqual(['sums 7 0', 'sums 7 1', 'sums 7 2'])
    expect(new Set(documents.map((document) => document.id)).size).toBe(3)
    await expect(readAll(source)).rejects.toMatchObject({ code: 'usage' })
  })
})

describe('reading JSON lines', () => {
  test('bad lines are damage with their place, good ones keep url and short fields', async () => {
    const { documents, damages } = await readAll({ name: 'notes', path: 'notes.jsonl' })
    const bytes = await readFile(join(fixtures, 'notes.jsonl'))
    expect(documents).toHaveLength(17)
    expect(documents[0]).toMatchObject({ url: 'https://notes.example/kettle', meta: { id: 'kettle' } })
    expect(damages).toHaveLength(1)
    const { byteOffset, bytesLost } = damages[0]!
    expect(bytes.subarray(byteOffset, byteOffset + bytesLost).toString()).toBe('this line is no JSON at all')
  })

  test('half surrogate pairs and zeros are replaced and counted', async () => {
    const { documents } = await readAll({ name: 'notes', path: 'notes.jsonl' })
    const odd = documents.at(-1)
    expect(odd?.text).toContain('half of a character, \uFFFD, and a zero, \uFFFD, which')
    expect(odd?.meta.replaced).toBe(2)
    expect(documents[0]?.meta.replaced).toBeUndefined()
  })
})

describe('reading WordNet', () => {
  test('entries have their words, gloss and examples', async () => {
    const entries = await readWordNet(join(fixtures, 'glossary'))
    expect(entries).toHaveLength(145)
    expect(entries[0]).toEqual({
      id: 'noun:00000185',
      words: ['anchor', 'ground tackle'],
      partOfSpeech: 'noun',
      gloss: 'a heavy hooked object dropped to the bottom of the water to hold a ship in place',
      examples: ['the anchor dragged during the storm'],
    })
    expect(new Set(entries.map((entry) => entry.partOfSpeech)).size).toBe(4)
    await expect(readWordNet(fixtures)).rejects.toMatchObject({ code: 'input' })
  })

  test('documents hold every entry as one line', async () => {
    const entries = await readWordNet(join(fixtures, 'glossary'))
    const { documents } = await readAll({ name: 'words', path: 'glossary' })
    const lines = documents.flatMap((document) => document.text.split('\n'))
    expect(lines.sort()).toEqual(entries.map(formatEntry).sort())
    expect(documents.length).toBeGreaterThan(15)
    expect(documents.reduce((sum, document) => sum + Number(document.meta.entries), 0)).toBe(145)
  })

  test('a line that is no entry is named', async () => {
    const folder = await temporaryFolder()
    await writeFile(
      join(folder, 'data.noun'),
      '  1 notice\n00000012 03 n 01 dog 0 000 | an animal\nrubbish\n',
    )
    await expect(readWordNet(folder)).rejects.toMatchObject({ code: 'input', place: { line: 3 } })
  })
})
