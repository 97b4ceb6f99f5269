import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type Llama,
  LoraAdapter,
  type LoraInput,
  loadAdapter,
  loraTargets,
  mergeAdapter,
  openSafetensors,
  saveAdapter,
  writeSafetensors,
} from '../../src/model/index.ts'
import { Random } from '../../src/random/random.ts'
import { inference, step, tensor } from '../../src/tensor/index.ts'
import { tinyLlama } from './tiny.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lora-'))
})
afterEach(() => rm(folder, { recursive: true }))

const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 37) % 320)
const logits = (llama: Llama) =>
  inference(() => llama.logits(llama.hidden(tensor(ids, [2, 12]))).read() as Float32Array)
const difference = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)

/** An adapter that changes something: B is random too. */
function randomAdapter(llama: Llama, input: LoraInput = { rank: 4, alpha: 8 }): LoraAdapter {
  const adapter = LoraAdapter.create(llama.config, input, 3)
  const random = new Random(5)
  for (const [name, each] of adapter.parameters) {
    if (name.includes('lora_B'))
      each.write(Float32Array.from({ length: each.size }, () => random.normal() / 8))
  }
  return adapter
}

describe('an adapter', () => {
  it('changes nothing at first, and the weights beside it get no gradients', () => {
    const base = tinyLlama()
    const before = logits(base)
    const llama = base.withAdapter(LoraAdapter.create(base.config, { rank: 2 }, 1))
    expect(difference(logits(llama), before)).toBe(0)
    step(() => llama.loss({ batchSize: 2, sequenceLength: 12, tokens: ids, targets: ids }).loss.backward())
    expect([...llama.parameters.values()].some((each) => each.grad)).toBe(false)
    expect([...base.parameters.values()].some((each) => each.grad)).toBe(false)
    expect(llama.trainable.size).toBe(2 * loraTargets.length * base.config.numHiddenLayers)
    expect([...llama.trainable.values()].every((each) => each.grad)).toBe(true)
    llama.free()
  })

  it('is the same model after it was merged into the weights', async () => {
    const base = tinyLlama()
    const adapter = randomAdapter(base)
    const beside = logits(base.withAdapter(adapter))
    expect(difference(beside, logits(base))).toBeGreaterThan(0.05)
    await expect(base.withAdapter(adapter).save(folder)).rejects.toMatchObject({ code: 'usage' })
    mergeAdapter(base, adapter)
    expect(difference(logits(base), beside)).toBeLessThan(2e-5)
    base.free()
  })

  it('has the gradients of finite differences, in every matrix', () => {
    const base = tinyLlama({ hiddenSize: 16, intermediateSize: 24, vocabSize: 40 })
    const adapter = randomAdapter(base)
    const llama = base.withAdapter(adapter)
    const tokens = ids.map((id) => id % 40)
    const batch = { batchSize: 2, sequenceLength: 12, tokens, targets: tokens.map((id) => (id * 3) % 40) }
    const lossAt = () => step(() => llama.loss(batch).loss.item())
    step(() => llama.loss(batch).loss.backward())
    for (const [name, each] of adapter.parameters) {
      const values = each.read() as Float32Array
      const gradient = each.grad!.read() as Float32Array
      // Along the gradient: one number that every element has a part in.
      const length = Math.hypot(...gradient)
      const moved = (by: number) => {
        each.write(values.map((value, i) => value + (by * gradient[i]) / length))
        return lossAt()
      }
      const width = 0.02
      const slope = (moved(width) - moved(-width)) / (2 * width)
      each.write(values)
      expect(Math.abs(slope - length) / length, name).toBeLessThan(0.02)
    }
    llama.free()
  })
})

describe("PEFT's format", () => {
  it('comes back to the bit, with some targets or all', async () => {
    const base = tinyLlama()
    for (const targets of [loraTargets, ['q_proj', 'down_proj'] as const]) {
      const adapter = randomAdapter(base, { rank: 3, alpha: 5, targets: [...targets] })
      await saveAdapter(folder, adapter, 'somebody/model')
      const back = await loadAdapter(folder, base.config)
      expect(back.config).toEqual({ rank: 3, alpha: 5, targets })
      expect(difference(logits(base.withAdapter(back)), logits(base.withAdapter(adapter)))).toBe(0)
    }
    base.free()
  })

  it('is refused where it is not what it says, naming file, field and tensor', async () => {
    const base = tinyLlama()
    await saveAdapter(folder, randomAdapter(base))
    const config = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'))
    const withConfig = async (change: object) => {
      await writeFile(join(folder, 'adapter_config.json'), JSON.stringify({ ...config, ...change }))
      return loadAdapter(folder, base.config).then(
        () => 'loaded',
        (error) => `${error.code} ${error.place.field}: ${error.message}`,
      )
    }
    expect(await withConfig({ use_dora: true })).toMatch(/^input use_dora: .*DoRA/)
    expect(await withConfig({ peft_type: 'IA3' })).toMatch(/^input peft_type/)
    expect(await withConfig({ rank_pattern: { q_proj: 2 } })).toMatch(/^input rank_pattern/)
    expect(await withConfig({ r: -1 })).toMatch(/^input r/)
    expect(await withConfig({ r: 8 })).toContain('lora_A.weight is [4,32], the model needs [8,32]')
    expect(await withConfig({})).toBe('loaded')

    const weights = join(folder, 'adapter_model.safetensors')
    const file = await openSafetensors(weights)
    const tensors = await Promise.all(
      file.header.entries.map(async ({ name, shape }) => ({ name, shape, values: await file.read(name) })),
    )
    await file.close()
    const withTensors = async (some: typeof tensors) => {
      await writeSafetensors(
        weights,
        some.map(({ values, ...each }) => ({ ...each, read: () => values })),
      )
      return withConfig({})
    }
    expect(await withTensors(tensors.slice(1))).toMatch(/lora_[AB]\.weight is missing/)
    expect(await withTensors([{ ...tensors[0], name: 'odd' }, ...tensors])).toContain(
      'no place for the tensor odd',
    )
    expect(await withTensors([])).toContain('no tensors')
    await writeFile(weights, 'not a file of tensors')
    expect(await withConfig({})).toMatch(/^damaged/)
    await writeFile(join(folder, 'adapter_config.json'), '{')
    await expect(loadAdapter(folder, base.config)).rejects.toMatchObject({ message: 'Not a JSON file' })
    base.free()
  })

  const python = process.env.SMOLFORGE_TEST_PYTHON
  it.skipIf(!python)('is loaded by PEFT with the same logits, and what PEFT saves by us', async () => {
    const base = tinyLlama()
    const adapter = randomAdapter(base)
    await base.save(join(folder, 'base'))
    await saveAdapter(join(folder, 'ours'), adapter, join(folder, 'base'))
    const script = `
import sys, json, torch
from transformers import AutoModelForCausalLM
from peft import PeftModel, LoraConfig, get_peft_model
dir, ids = sys.argv[1], torch.tensor(json.loads(sys.argv[2])).reshape(2, 12)
load = lambda: AutoModelForCausalLM.from_pretrained(dir + '/base')
ours = PeftModel.from_pretrained(load(), dir + '/ours')
torch.manual_seed(1)
theirs = get_peft_model(load(), LoraConfig(r=4, lora_alpha=6, use_rslora=True, target_modules=['q_proj', 'v_proj', 'up_proj'], init_lora_weights=False))
theirs.save_pretrained(dir + '/theirs')
with torch.no_grad():
    print('RESULT' + json.dumps([m(ids).logits.flatten().tolist() for m in (ours.eval(), theirs.eval())]))
`
    const run = spawnSync(python!, ['-c', script, folder, JSON.stringify([...ids])], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    })
    expect(run.stdout, run.stderr).toContain('RESULT')
    const [ours, theirs] = JSON.parse(run.stdout.split('RESULT')[1]) as number[][]
    const back = await loadAdapter(join(folder, 'theirs'), base.config)
    expect(difference(logits(base.withAdapter(adapter)), Float32Array.from(ours))).toBeLessThan(1e-4)
    expect(difference(logits(base.withAdapter(back)), Float32Array.from(theirs))).toBeLessThan(1e-4)
    expect(difference(logits(base), Float32Array.from(theirs))).toBeGreaterThan(0.05)
    base.free()
  })
})
