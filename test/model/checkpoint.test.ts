import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LanguageModel, Llama, modelHash, openCheckpoint, saveGguf } from '../../src/model/index.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { tinyLlama, tinyTokenizer } from './tiny.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'))
})
afterEach(() => rm(folder, { recursive: true }))

const values = (llama: Llama, name: string) => llama.parameters.get(name)!.read() as Float32Array

describe('a model saved as GGUF comes back', () => {
  it('in F32 to the bit, with its tokenizer, tied and untied', async () => {
    for (const tieWordEmbeddings of [true, false]) {
      const llama = tinyLlama({ tieWordEmbeddings, ropeTheta: 100_000 })
      const tokenizer = (await tinyTokenizer()).forChat({ systemPrompt: 'Be brief.' })
      const path = join(folder, 'tiny.gguf')
      const { bytes, formats, fallbacks } = await saveGguf(path, llama, tokenizer)
      expect((await readFile(path)).length).toBe(bytes)
      expect(formats).toEqual({ F32: llama.parameters.size })
      expect(fallbacks).toEqual([])
      const back = await LanguageModel.load(path)
      // GGUF has no place for the range of a model that is still to be made.
      expect(back.llama.config).toEqual({ ...llama.config, initializerRange: 0.02 })
      expect(await modelHash(back.llama)).toBe(await modelHash(llama))
      const text = 'the sea 1234 <|im_end|> ünï\n'
      expect(back.tokenizer.encode(text)).toEqual(tokenizer.encode(text))
      expect(back.tokenizer.vocabSize).toBe(tokenizer.vocabSize)
      expect(back.tokenizer.eosTokenId).toBe(tokenizer.eosTokenId)
      expect(back.tokenizer.specialTokens).toEqual(tokenizer.specialTokens)
      const turns = [{ role: 'user' as const, content: 'hi' }]
      expect(back.tokenizer.applyChatTemplate(turns)).toBe(tokenizer.applyChatTemplate(turns))
      for (const each of [llama, back.llama]) each.free()
    }
    expect(await readdir(folder)).toEqual(['tiny.gguf'])
  })

  it('in every format as near as its bits allow; the formats and exceptions are reported', async () => {
    const llama = tinyLlama({ hiddenSize: 64, intermediateSize: 256 })
    const tokenizer = await tinyTokenizer()
    const errors: Record<string, number> = {}
    for (const dtype of ['F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1', 'Q4_K'] as const) {
      const path = join(folder, `${dtype}.gguf`)
      const { formats, fallbacks } = await saveGguf(path, llama, tokenizer, { dtype })
      expect(formats.F32).toBe(5)
      const checkpoint = await openCheckpoint(path)
      const embedding = checkpoint.entry('model.embed_tokens.weight').format
      expect(embedding).toBe(dtype.startsWith('Q4') ? 'Q8_0' : dtype)
      expect(checkpoint.entry('model.layers.1.mlp.down_proj.weight').format).toBe(dtype)
      // Rows of 64 are no whole blocks of 256.
      expect(fallbacks.length).toBe(dtype === 'Q4_K' ? 12 : 0)
      await checkpoint.close()
      const back = await Llama.load(path)
      let worst = 0
      for (const name of llama.parameters.keys()) {
        const [ours, stored] = [values(llama, name), values(back, name)]
        const square = ours.reduce((sum, value, i) => sum + (value - stored[i]) ** 2, 0)
        worst = Math.max(worst, Math.sqrt(square / ours.reduce((sum, value) => sum + value * value, 0)))
      }
      errors[dtype] = worst
      back.free()
    }
    expect(errors.F16).toBeLessThan(3e-4)
    expect(errors.BF16).toBeLessThan(2e-3)
    expect(errors.Q8_0).toBeLessThan(0.01)
    for (const dtype of ['Q4_0', 'Q4_1', 'Q4_K']) expect(errors[dtype]).toBeLessThan(0.11)
    llama.free()
  })

  it('whole or not at all', async () => {
    const llama = tinyLlama()
    const path = join(folder, 'no', 'such.gguf')
    await expect(saveGguf(path, llama, await tinyTokenizer())).rejects.toMatchObject({ code: 'input' })
    expect(await readdir(folder)).toEqual([])
    llama.free()
  })
})

describe('a model is opened', () => {
  it('from a folder that holds one GGUF file, not from one that holds two', async () => {
    const [llama, tokenizer] = [tinyLlama(), await tinyTokenizer()]
    await saveGguf(join(folder, 'a.gguf'), llama, tokenizer, { dtype: 'F16' })
    const checkpoint = await openCheckpoint(folder)
    expect(checkpoint.entry('model.norm.weight').path).toBe(join(folder, 'a.gguf'))
    await checkpoint.close()
    expect((await Tokenizer.load(folder)).vocabSize).toBe(tokenizer.vocabSize)
    await saveGguf(join(folder, 'b.gguf'), llama, tokenizer)
    await expect(openCheckpoint(folder)).rejects.toThrow('several GGUF files: a.gguf, b.gguf')
    llama.free()
  })

  it('from a folder with neither only with a clear word', async () => {
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: 'input' })
    await expect(openCheckpoint(join(folder, 'none'))).rejects.toMatchObject({ code: 'input' })
    await mkdir(join(folder, 'x.gguf'))
    await expect(openCheckpoint(folder)).rejects.toBeInstanceOf(Error)
  })

  it('from a Hugging Face folder in F16, within its precision', async () => {
    const llama = tinyLlama()
    await llama.save(folder, undefined, { dtype: 'F16' })
    expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')).dtype).toBe('float16')
    const back = await Llama.load(folder)
    const name = 'model.layers.0.mlp.up_proj.weight'
    const [before, after] = [values(llama, name), values(back, name)]
    expect(Math.max(...before.map((value, i) => Math.abs(value - after[i])))).toBeLessThan(2e-4)
    for (const each of [llama, back]) each.free()
  })

  it('not with a million layers of which there is one tensor', async () => {
    const llama = tinyLlama()
    await llama.save(folder)
    const config = join(folder, 'config.json')
    const text = await readFile(config, 'utf8')
    await writeFile(config, text.replace('"num_hidden_layers": 2', '"num_hidden_layers": 2000000000'))
    await expect(openCheckpoint(folder)).rejects.toThrow('2000000000 layers, there are')
    llama.free()
  })
})

describe('a GGUF that is no Llama of ours is refused by the field', () => {
  const cases: [key: string, from: string, to: string, field: string, message: string][] = [
    ['another architecture', 'llama', 'gemma', 'general.architecture', 'The architecture gemma'],
    ['another pre-tokenizer', 'smollm', 'qwen2x', 'tokenizer.ggml.pre', 'The pre-tokenizer qwen2x'],
    ['another tokenizer', 'gpt2', 'bert', 'tokenizer.ggml.model', 'The tokenizer bert'],
  ]
  it.each(cases)('%s', async (_, from, to, field, message) => {
    const llama = tinyLlama()
    const path = join(folder, 'a.gguf')
    await saveGguf(path, llama, await tinyTokenizer())
    llama.free()
    const bytes = await readFile(path)
    // The value follows its key, its type and its length.
    bytes.write(to, bytes.indexOf(from, bytes.indexOf(field) + field.length))
    await writeFile(path, bytes)
    await expect(LanguageModel.load(path)).rejects.toMatchObject({
      code: 'input',
      message: expect.stringContaining(message),
      place: { file: path, field },
    })
  })
})
