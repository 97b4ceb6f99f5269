import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EmbeddingModel, Llama, saveGguf } from '../../../src/model/index.ts'
import { configure } from '../../../src/tensor/index.ts'
import { loadEncoderTokenizer } from '../../../src/tokenizer/index.ts'
import { tinyLlama, tinyTokenizer } from '../tiny.ts'
import { encoderTexts, randomEncoderTexts } from './encoderTexts.ts'

const fixtures = join(import.meta.dirname, '../../fixtures/encoders')
const python = process.env.SMOLFORGE_TEST_PYTHON
const canRun = python !== undefined && spawnSync(python, ['-c', 'import torch, transformers']).status === 0

interface Expected {
  text: string
  ids: number[]
  mean: number[]
  cls: number[]
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'encoders-'))
  configure({ precision: 'f32' })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function compare(dir: string): Promise<void> {
  const expected = JSON.parse(await readFile(join(dir, 'expected.json'), 'utf8')) as Expected[]
  const tokenizer = await loadEncoderTokenizer(dir)
  const texts = expected.map(({ text }) => text)
  for (const { text, ids } of expected) expect([...tokenizer.encode(text, 40)], text).toEqual(ids)
  for (const pooling of ['mean', 'cls'] as const) {
    const model = await EmbeddingModel.open(dir, { pooling, maxTokens: 40 })
    const rows = model.embed(texts)
    for (const [i, each] of expected.entries()) {
      for (const [j, value] of each[pooling].entries()) {
        expect(Math.abs(rows[16 * i + j] - value), `${each.text} ${pooling} ${j}`).toBeLessThan(2e-5)
      }
    }
  }
}

describe.each(['bert', 'roberta'])('embeddings of %s', (name) => {
  it('are those of transformers, from ids on, whatever stands beside a text in the batch', async () => {
    await compare(join(fixtures, name))
    const model = await EmbeddingModel.open(join(fixtures, name), { maxTokens: 40 })
    const alone = model.embed([encoderTexts[0]])
    const among = model.embed([...encoderTexts].reverse())
    const at = 16 * (encoderTexts.length - 1)
    for (const [i, value] of alone.entries()) expect(among[at + i]).toBeCloseTo(value, 5)
  })

  it.skipIf(!canRun)(
    'are those of a model made on the spot (needs SMOLFORGE_TEST_PYTHON with transformers)',
    async () => {
      const seed = Date.now() % 100_000
      const texts = join(folder, `${name}.json`)
      await writeFile(texts, JSON.stringify([...encoderTexts, ...randomEncoderTexts(seed)]))
      const made = join(folder, `${name}-${seed}`)
      await mkdir(made)
      const run = spawnSync(python!, [join(fixtures, 'make.py'), made, texts, `${seed}`], {
        encoding: 'utf8',
      })
      expect(run.status, run.stderr).toBe(0)
      await compare(join(made, name))
    },
  )

  it('are refused for what cannot be run, naming the file and the field', async () => {
    const dir = join(folder, `changed-${name}`)
    const change = async (file: string, from: string | RegExp, to: string) => {
      await rm(dir, { recursive: true, force: true })
      await cp(join(fixtures, name), dir, { recursive: true })
      const path = join(dir, file)
      const text = await readFile(path, 'utf8')
      expect(text).toMatch(from)
      await writeFile(path, text.replace(from, to))
      return EmbeddingModel.open(dir)
    }
    await expect(change('config.json', '"gelu"', '"gelu_new"')).rejects.toMatchObject({
      code: 'input',
      place: { file: join(dir, 'config.json'), field: 'hidden_act' },
    })
    await expect(change('config.json', `"${name}"`, '"deberta"')).rejects.toMatchObject({
      place: { field: 'model_type' },
    })
    await expect(change('config.json', '"hidden_size": 16', '"hidden_size": 32')).rejects.toMatchObject({
      code: 'input',
      place: { file: join(dir, 'model.safetensors') },
    })
    await expect(
      change('tokenizer.json', /"type": ?"(WordPiece|BPE)"/g, '"type": "Unigram"'),
    ).rejects.toMatchObject({
      code: 'input',
      place: { file: join(dir, 'tokenizer.json') },
    })
  })
})

describe('embeddings of a Llama', () => {
  it('are the mean of its last hidden states, or the last of them, of length 1', async () => {
    const llama = tinyLlama()
    const dir = join(folder, 'llama')
    await llama.save(dir, await tinyTokenizer())
    const texts = ['the water is wet', 'rivers, the sea and the water', '', 'x']
    for (const pooling of ['mean', 'last'] as const) {
      const model = await EmbeddingModel.open(dir, { pooling })
      const { width } = model.reference
      const together = model.embed(texts)
      for (const [i, text] of texts.entries()) {
        const alone = model.embed([text])
        expect(Math.hypot(...alone)).toBeCloseTo(1, 5)
        for (const [j, value] of alone.entries()) expect(together[i * width + j]).toBeCloseTo(value, 4)
      }
    }
    llama.free()
  })

  it('are the same from a GGUF file', async () => {
    const dir = join(folder, 'llama')
    const path = join(folder, 'llama.gguf')
    await saveGguf(path, await Llama.load(dir), await tinyTokenizer())
    const texts = ['the water is wet', 'rivers']
    const [one, two] = await Promise.all([dir, path].map((model) => EmbeddingModel.open(model)))
    const [rows, wanted] = [two.embed(texts), one.embed(texts)]
    for (const [i, value] of wanted.entries()) expect(rows[i]).toBeCloseTo(value, 5)
    expect(two.reference.width).toBe(one.reference.width)
  })

  it('see as many tokens as they are told', async () => {
    const dir = join(folder, 'llama')
    const model = await EmbeddingModel.open(dir, { maxTokens: 4 })
    const [one, two] = ['the water is wet and more', 'the water is wet or less'].map((text) =>
      model.embed([text]),
    )
    expect(one).toEqual(two)
    expect(model.reference.maxTokens).toBe(4)
  })
})
