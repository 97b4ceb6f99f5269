import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { fixtureFolder, temporaryFolder } from './fixtures.ts'

const python = process.env.SMOLFORGE_TEST_PYTHON
const kindsFolder = join(fixtureFolder, 'kinds')
const kinds = readdirSync(kindsFolder)
  .filter((name) => /^[a-z0-9-]+\.json$/.test(name) && name !== 'texts.json')
  .map((name) => name.replace('.json', ''))

async function json<T>(folder: string, name: string): Promise<T> {
  return JSON.parse(await readFile(join(folder, name), 'utf8')) as T
}

/** Loads a kind, and again what it saves; both must give Hugging Face's ids. */
async function expectTheirIds(folder: string, kind: string): Promise<void> {
  const texts = await json<string[]>(folder, 'texts.json')
  const ids = await json<number[][]>(folder, `${kind}.ids.json`)
  const whole = await json<number[][]>(folder, `${kind}.whole.json`).catch(() => ids)
  const read = await Tokenizer.load(join(folder, `${kind}.json`))
  const dir = await temporaryFolder()
  await read.save(dir)
  for (const tokenizer of [read, await Tokenizer.load(dir)]) {
    const batch = tokenizer.encodeBatch(texts)
    for (const [i, text] of texts.entries()) {
      expect([...batch[i]], JSON.stringify(text)).toEqual(ids[i])
      expect([...tokenizer.encode(text, { addSpecialTokens: true })], JSON.stringify(text)).toEqual(whole[i])
    }
  }
}

describe('gives the ids that Hugging Face gives for', () => {
  test.each(kinds)('a tokenizer of the kind %s', (kind) => expectTheirIds(kindsFolder, kind))

  test.skipIf(!python)(
    '3,000 fresh texts and tokenizers of every kind (SMOLFORGE_TEST_PYTHON)',
    async () => {
      const folder = await temporaryFolder()
      const seed = String(Date.now() % 1_000_000)
      const made = [join(fixtureFolder, 'kinds.py'), folder, '--texts', '3000', '--seed', seed]
      execFileSync(python ?? '', made, { stdio: 'ignore' })
      for (const kind of kinds) {
        await expectTheirIds(folder, kind).catch((error: Error) => {
          error.message = `${kind}, seed ${seed}: ${error.message}`
          throw error
        })
      }
    },
    60_000,
  )
})
