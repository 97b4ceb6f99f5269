import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { modelSeed } from '../../bench/fuzz/seeds.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gguf-tokenizer-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function load(change: (bytes: Buffer) => void): Promise<Tokenizer> {
  const bytes = Buffer.from(modelSeed())
  change(bytes)
  const path = join(folder, 'model.gguf')
  await writeFile(path, bytes)
  return Tokenizer.load(path)
}

/** Another text of the same length, wherever it stands. */
function rename(bytes: Buffer, from: string, to: string): void {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from)) bytes.write(to, at)
}

describe('the end of a text in a GGUF tokenizer', () => {
  it('is special also where the file calls its token an ordinary one', async () => {
    const key = 'tokenizer.ggml.eos_token_id'
    const tokenizer = await load((bytes) => bytes.writeUInt32LE(0, bytes.indexOf(key) + key.length + 4))
    expect(tokenizer.eosTokenId).toBe(0)
    expect(tokenizer.specialTokens.get('a')).toBe(0)
  })

  it('that nothing names is refused with file and field', async () => {
    const opened = load((bytes) => {
      rename(bytes, 'eos_token_id', 'eos_token_no')
      rename(bytes, '<|endoftext|>', '<|somewhere|>')
    })
    await expect(opened).rejects.toMatchObject({
      code: 'input',
      place: { file: join(folder, 'model.gguf'), field: 'tokenizer.ggml.eos_token_id' },
    })
  })
})
