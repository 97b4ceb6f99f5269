import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { jsonLines, scratchFolder, smolforge } from '../recipe/child.ts'

const scratch = await scratchFolder()
const cli = (...args: string[]) => smolforge(args, { cwd: scratch })
const statistics = (stderr: string) =>
  JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as Record<string, unknown>

describe('smolforge language', () => {
  test('names the language of each line and ends with the line of statistics', async () => {
    const documents = [
      {
        id: 'a',
        text: 'The committee has decided to publish its report on the railways before the end of the year.',
      },
      {
        id: 2,
        text: 'Der Ausschuss hat beschlossen, seinen Bericht über die Bahn noch vor Jahresende zu veröffentlichen.',
      },
      { text: '委员会决定在年底之前公布关于铁路状况的报告，并且欢迎所有人提出意见。' },
    ]
    const lines = [...documents.map((document) => JSON.stringify(document)), 'no document']
    await writeFile(join(scratch, 'pages.jsonl.gz'), gzipSync(lines.join('\n')))
    const done = await cli('language', '--input', 'pages.jsonl.gz', '--output', 'out.jsonl', '--threads', '1')
    expect(done).toMatchObject({ code: 0 })
    expect(jsonLines(await readFile(join(scratch, 'out.jsonl'), 'utf8'))).toEqual([
      { id: 'a', language: 'eng', score: expect.any(Number) },
      { id: '2', language: 'deu', score: expect.any(Number) },
      { id: '3', language: 'cmn', score: expect.any(Number) },
    ])
    expect(statistics(done.stderr)).toMatchObject({ documents: 3, damaged: 1, dropped: {} })
  })

  test('says what is wrong with a model that is none', async () => {
    await writeFile(join(scratch, 'model.bin'), 'nothing')
    const done = await cli('language', '--input', 'pages.jsonl.gz', '--output', 'o', '--model', 'model.bin')
    expect(done.code).toBe(4)
    expect(done.stderr).toContain('Not a fastText model')
  })
})

describe('smolforge mask', () => {
  test('masks personal data and secrets, keeps every other field, and says what it replaced', async () => {
    const token = ['npm', 'aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5'].join('_')
    const documents = [
      { id: 'a', text: 'ann@corp.org', licence: 'MIT' },
      { id: 'b', text: `//registry/:_authToken=${token}\n` },
      { id: 'c', text: 'nothing' },
    ]
    await writeFile(
      join(scratch, 'documents.jsonl'),
      documents.map((line) => `${JSON.stringify(line)}\n`).join(''),
    )
    const done = await cli('mask', '--input', 'documents.jsonl', '--output', 'masked.jsonl', '--json')
    expect(done).toMatchObject({ code: 0 })
    expect(jsonLines(await readFile(join(scratch, 'masked.jsonl'), 'utf8'))).toEqual([
      { id: 'a', text: 'email@example.com', licence: 'MIT', masked: { piiEmail: 1 } },
      { id: 'b', text: '//registry/:_authToken=<KEY>\n', masked: { maskedSecret: 1 } },
      { id: 'c', text: 'nothing' },
    ])
    expect(jsonLines(done.stdout)).toEqual([
      expect.objectContaining({ documents: 3, output: 'masked.jsonl' }),
    ])
    expect(statistics(done.stderr)).toMatchObject({ documents: 3, damaged: 0 })
  })
})
