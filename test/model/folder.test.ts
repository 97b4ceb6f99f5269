import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LanguageModel, Llama, modelHash, writeSafetensors } from '../../src/model/index.ts'
import { tinyLlama, tinyTokenizer } from './tiny.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-folder-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('a saved model is a Hugging Face folder', () => {
  it('with all its files, and comes back to the bit', async () => {
    const llama = tinyLlama({ tieWordEmbeddings: false })
    const tokenizer = await tinyTokenizer()
    await llama.save(folder, tokenizer)
    const files = await readdir(folder)
    for (const file of ['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json']) {
      expect(files).toContain(file)
    }
    const back = await LanguageModel.load(folder)
    expect(back.llama.config).toEqual(llama.config)
    const hash = await modelHash(llama)
    expect(await modelHash(back.llama)).toBe(hash)
    expect(await modelHash(folder)).toBe(hash)
    expect(back.tokenizer.decode(back.tokenizer.encode('the sea'))).toBe('the sea')
    const other = tinyLlama({ tieWordEmbeddings: false }, 2)
    expect(await modelHash(other)).not.toBe(hash)
    for (const each of [llama, other, back.llama]) each.free()
  })

  it('a chat tokenizer makes generation end at the end of a turn', async () => {
    const llama = tinyLlama()
    await llama.save(folder, (await tinyTokenizer()).forChat())
    const generation = JSON.parse(await readFile(join(folder, 'generation_config.json'), 'utf8'))
    expect(generation.eos_token_id).toEqual([2, 0])
    llama.free()
  })

  it('is half as large in bf16 and still loads', async () => {
    const llama = tinyLlama()
    await llama.save(folder, undefined, { dtype: 'BF16' })
    const back = await Llama.load(folder)
    const [before, after] = [llama, back].map((each) =>
      each.parameters.get('model.embed_tokens.weight')!.read(),
    )
    expect(Math.max(...before.map((value, i) => Math.abs(value - after[i])))).toBeLessThan(0.002)
    expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')).dtype).toBe('bfloat16')
    llama.free()
    back.free()
  })

  it('in several parts is loaded through its index', async () => {
    const llama = tinyLlama()
    await llama.save(folder)
    const tensors = [...llama.parameters].map(([name, p]) => ({
      name,
      shape: p.shape,
      read: () => p.read() as Float32Array,
    }))
    await rm(join(folder, 'model.safetensors'))
    const parts = [tensors.slice(0, 7), tensors.slice(7)]
    const weightMap: Record<string, string> = {}
    for (const [i, part] of parts.entries()) {
      const name = `model-0000${i + 1}-of-00002.safetensors`
      await writeSafetensors(join(folder, name), part)
      for (const each of part) weightMap[each.name] = name
    }
    const index = join(folder, 'model.safetensors.index.json')
    await writeFile(index, JSON.stringify({ metadata: {}, weight_map: weightMap }))
    const back = await Llama.load(folder)
    expect(await modelHash(back)).toBe(await modelHash(llama))
    await writeFile(index, JSON.stringify({ weight_map: { a: '../../etc/secrets.safetensors' } }))
    await expect(Llama.load(folder)).rejects.toMatchObject({ code: 'input', place: { file: index } })
    llama.free()
    back.free()
  })

  it('that is damaged, incomplete or of another shape is refused by file and tensor', async () => {
    const llama = tinyLlama()
    await llama.save(folder)
    const weights = join(folder, 'model.safetensors')
    const config = join(folder, 'config.json')
    const good = await readFile(config, 'utf8')
    await writeFile(config, good.replace('"intermediate_size": 64', '"intermediate_size": 65'))
    await expect(Llama.load(folder)).rejects.toThrow('model.layers.0.mlp.gate_proj.weight is [64,32]')
    await writeFile(config, good.replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'))
    await expect(Llama.load(folder)).rejects.toThrow('model.layers.2.input_layernorm.weight is missing')
    await writeFile(config, '{"vocab')
    await expect(Llama.load(folder)).rejects.toMatchObject({ code: 'input', place: { file: config } })
    await writeFile(config, good)
    await truncate(weights, 5000)
    await expect(Llama.load(folder)).rejects.toMatchObject({
      code: 'damaged',
      place: { file: weights, byte: 5000 },
    })
    await rm(weights)
    await expect(Llama.load(folder)).rejects.toMatchObject({ code: 'input', place: { file: weights } })
    llama.free()
  })

  const python = process.env.SMOLFORGE_TEST_PYTHON
  const canRun = python !== undefined && spawnSync(python, ['-c', 'import torch, transformers']).status === 0
  it.skipIf(!canRun)(
    'gives transformers the same log-probabilities within 1e-3 (needs SMOLFORGE_TEST_PYTHON with transformers)',
    async () => {
      for (const tieWordEmbeddings of [true, false]) {
        const llama = tinyLlama({ tieWordEmbeddings })
        const tokenizer = await tinyTokenizer()
        await llama.save(folder, tokenizer)
        const model = new LanguageModel(llama, tokenizer)
        const text = 'the water is wet and the sea are rivers, ok? 17 <|im_end|> ünï'
        const ids = tokenizer.encode(text)
        const [ours] = model.tokenLogProbs([ids])
        const program = [
          'import sys, json, torch, transformers',
          'dir, text = sys.argv[1:]',
          'model = transformers.AutoModelForCausalLM.from_pretrained(dir, dtype=torch.float32)',
          'ids = transformers.AutoTokenizer.from_pretrained(dir)(text, return_tensors="pt").input_ids',
          'logp = model(ids).logits.log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]',
          'print(json.dumps({"ids": ids[0].tolist(), "logp": logp.tolist()}))',
        ].join('\n')
        const run = spawnSync(python!, ['-c', program, folder, text], { encoding: 'utf8' })
        const theirs = JSON.parse(run.stdout)
        expect(theirs.ids).toEqual([...ids])
        const worst = Math.max(...ours.map((value, i) => Math.abs(value - theirs.logp[i])))
        process.stderr.write(`largest difference to transformers: ${worst}\n`)
        expect(worst).toBeLessThan(1e-3)
        llama.free()
      }
    },
  )
})
