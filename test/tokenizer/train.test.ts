import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ProgressEvent } from '../../src/progress/progress.ts'
import { trainTokenizer } from '../../src/tokenizer/index.ts'
import { fixtureFolder, oneBatch } from './fixtures.ts'

const texts = (await readFile(join(fixtureFolder, 'training.txt'), 'utf8')).split('\n')

test('the texts may come in any order and in any batches', async () => {
  async function* backwards() {
    for (const text of texts.toReversed()) yield [text]
  }
  const one = await trainTokenizer(oneBatch(texts), { vocabSize: 500 })
  const other = await trainTokenizer(backwards(), { vocabSize: 500 })
  for (let id = 0; id < 500; id++) expect(other.tokenBytes(id)).toEqual(one.tokenBytes(id))
  expect(texts.map((text) => other.encode(text))).toEqual(texts.map((text) => one.encode(text)))
})

test('text too small for the vocabulary gives a smaller one that still encodes everything', async () => {
  const tokenizer = await trainTokenizer(oneBatch(['aaaa']), { vocabSize: 1000 })
  expect(tokenizer.vocabSize).toBe(17 + 256 + 2)
  expect(tokenizer.decode(tokenizer.encode('aaaaa 漢字 \u0000'))).toBe('aaaaa 漢字 \u0000')
})

test('impossible sizes and missing text are refused', async () => {
  await expect(trainTokenizer(oneBatch(texts), { vocabSize: 272 })).rejects.toMatchObject({ code: 'usage' })
  await expect(trainTokenizer(oneBatch(texts), { vocabSize: 500.5 })).rejects.toMatchObject({ code: 'usage' })
  await expect(trainTokenizer(oneBatch(['', '']), { vocabSize: 300 })).rejects.toMatchObject({
    code: 'input',
  })
})

test('training says how far it is and stops when asked', async () => {
  const events: ProgressEvent[] = []
  const onProgress = (event: ProgressEvent) => events.push(event)
  await trainTokenizer(oneBatch(texts), { vocabSize: 600, onProgress })
  expect(events[0].unit).toBe('bytes')
  expect(events.at(-1)).toMatchObject({ done: 600, total: 600 })

  const stop = { stopped: false }
  const stopAtFirst = () => {
    stop.stopped = true
  }
  const stopped = trainTokenizer(oneBatch(texts), { vocabSize: 600, onProgress: stopAtFirst, stop })
  await expect(stopped).rejects.toMatchObject({ code: 'interrupted' })
})
