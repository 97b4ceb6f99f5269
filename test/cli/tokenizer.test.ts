import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { makeProgram } from '../../src/cli/program.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'

/** Runs a command in this process; what it wrote, and its last line on standard error. */
async function run(...args: string[]): Promise<{ out: string; last: unknown }> {
  let [out, err] = ['', '']
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text)
      return true
    }),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      err += String(text)
      return true
    }),
  ]
  try {
    await makeProgram().parseAsync(['node', 'smolforge', ...args])
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  return { out, last: JSON.parse(err.trimEnd().split('\n').at(-1) ?? '') }
}

test('trains on a file, encodes it, packs it into shards and finds a document again', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'smolforge-cli-tokenizer-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const [input, tokenizer, shards] = ['docs.jsonl', 'tokenizer', 'shards'].map((name) => join(dir, name))
  const texts = Array.from({ length: 50 }, (_, i) => `The ${i}th document says: it's ${i * 37} o'clock.\n\n`)
  const lines = texts.map((text, i) =>
    JSON.stringify({ id: `doc:${i}`, text, domain: i % 2 ? 'odd' : 'even' }),
  )
  await writeFile(input, `${lines.join('\n')}\nno JSON\n`)

  const trained = await run(
    ...['tokenizer', 'train', '--input', input, '--vocab', '300', '--output', tokenizer],
    ...['--pre-tokenizer', 'llama3', '--special', '<|endoftext|>', '--threads', '2', '--json'],
  )
  expect(JSON.parse(trained.out)).toEqual({ output: tokenizer, vocabSize: 300, documents: 50, damaged: 1 })
  expect(trained.last).toMatchObject({ documents: 50, damaged: 1, dropped: {} })
  const codec = await Tokenizer.load(tokenizer)
  expect(codec.tokenId('<|endoftext|>')).toBe(0)

  await writeFile(input, `${lines.join('\n')}\n`)
  const encoded = join(dir, 'ids.jsonl')
  const done = await run(
    'tokenizer',
    'encode',
    '--tokenizer',
    tokenizer,
    '--input',
    input,
    '--output',
    encoded,
  )
  expect(done.last).toMatchObject({ documents: 50 })
  const rows = (await readFile(encoded, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(rows.map(({ ids }) => ids)).toEqual(texts.map((text) => [...codec.encode(text)]))

  await run(
    'shards',
    'write',
    '--tokenizer',
    tokenizer,
    '--input',
    input,
    '--output',
    shards,
    '--domain',
    'd',
  )
  const found = await inspect('--document', 'doc:7')
  expect(found.document).toMatchObject({ id: 'doc:7' })
  expect(found.document.end - found.document.start).toBe(rows[7].ids.length + 1)
  expect((await inspect('--token', String(found.document.end - 1))).token.document.id).toBe('doc:7')
  expect((await inspect('--sequence-length', '64')).packing.bestFit.cutDocuments).toBe(0)

  const report = await run('tokenizer', 'report', '--tokenizer', tokenizer, '--input', input, '--json')
  expect(
    JSON.parse(report.out)
      .domains.map(({ name }: { name: string }) => name)
      .sort(),
  ).toEqual(['even', 'odd'])

  async function inspect(...options: string[]) {
    let out = ''
    const spies = [
      vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
        out += String(text)
        return true
      }),
      vi.spyOn(process.stderr, 'write').mockReturnValue(true),
    ]
    await makeProgram().parseAsync(['node', 'smolforge', 'shards', 'inspect', shards, '--json', ...options])
    for (const spy of spies) spy.mockRestore()
    return JSON.parse(out)
  }
})
