import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LanguageModel, loadAdapter, mergeAdapter, modelHash } from '../../src/model/index.ts'
import { type TuneData, type TuneOptions, tune } from '../../src/train/index.ts'
import { tinyLlama, tinyTokenizer } from '../model/tiny.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tune-'))
  const llama = tinyLlama()
  await llama.save(join(folder, 'base'), (await tinyTokenizer()).forChat())
  llama.free()
})
afterEach(() => rm(folder, { recursive: true }))

const question = [{ role: 'user' as const, content: 'What is a sea?' }]
const data: Record<TuneData['kind'], TuneData> = {
  pretrain: { kind: 'pretrain', texts: Array.from({ length: 40 }, (_, i) => `the river ${i} is water`) },
  sft: {
    kind: 'sft',
    conversations: Array.from({ length: 8 }, () => [
      ...question,
      { role: 'assistant' as const, content: 'the water' },
    ]),
  },
  dpo: {
    kind: 'dpo',
    pairs: Array.from({ length: 8 }, () => ({ messages: question, chosen: 'water', rejected: 'a river' })),
    beta: 0.3,
  },
}

const optionsOf = (kind: TuneData['kind'], output: string, more: Partial<TuneOptions> = {}): TuneOptions => ({
  model: join(folder, 'base'),
  output: join(folder, output),
  data: data[kind],
  optimizer: { kind: 'adamw', learningRate: 0.01 },
  batchSize: 4,
  microBatchSize: 2,
  epochs: 4,
  warmupFraction: 0.1,
  checkpointEverySteps: 2,
  seed: 1,
  ...more,
})

describe('a loaded model is tuned', () => {
  for (const kind of ['pretrain', 'sft', 'dpo'] as const) {
    it(`by ${kind}, all weights or adapters, and leaves a whole model folder and nothing else`, async () => {
      const length = { sequenceLength: 32 }
      const losses: number[] = []
      await tune(optionsOf(kind, 'whole', { ...length, onMetrics: ({ loss }) => losses.push(loss) }))
      expect(losses.at(-1)).toBeLessThan(losses[0])
      await tune(optionsOf(kind, 'adapted', { ...length, lora: { rank: 4 } }))
      expect((await readdir(folder)).sort()).toEqual(['adapted', 'base', 'whole'])
      expect(await readdir(join(folder, 'adapted'))).not.toContain('state')
      const [base, whole, adapted] = await Promise.all(
        ['base', 'whole', 'adapted'].map((name) => LanguageModel.load(join(folder, name))),
      )
      const hashes = await Promise.all([base, whole, adapted].map(({ llama }) => modelHash(llama)))
      expect(new Set(hashes).size).toBe(3)
      // The adapter beside the merged weights is what they were merged from.
      mergeAdapter(base.llama, await loadAdapter(join(folder, 'adapted', 'adapter'), base.llama.config))
      expect(await modelHash(base.llama)).toBe(hashes[2])
      for (const { llama } of [base, whole, adapted]) llama.free()
    })
  }

  it('to the same bits when it was stopped, and only with the same model and data', async () => {
    for (const lora of [undefined, { rank: 4 }]) {
      const name = lora ? 'lora' : 'full'
      await tune(optionsOf('sft', name, { lora }))
      const stop = { stopped: false }
      const onMetrics = ({ step }: { step: number }) => {
        stop.stopped = step === 3
      }
      const stopped = optionsOf('sft', `${name}-stopped`, { lora })
      await expect(tune({ ...stopped, stop, onMetrics })).rejects.toMatchObject({ code: 'interrupted' })
      expect(existsSync(stopped.output)).toBe(false)
      await expect(tune({ ...stopped, data: data.dpo })).rejects.toThrow(/other data/)
      expect((await tune(stopped)).resumedFrom).toBe(3)
      expect(await modelHash(stopped.output)).toBe(await modelHash(join(folder, name)))
    }
  })

  it('or refused with a word on what does not fit', async () => {
    await expect(tune(optionsOf('sft', 'base'))).rejects.toThrow(/exists already/)
    await expect(tune(optionsOf('sft', 'new', { model: join(folder, 'none') }))).rejects.toMatchObject({
      code: 'input',
      place: { file: expect.stringContaining('none') },
    })
    await expect(tune(optionsOf('sft', 'new', { sequenceLength: 65 }))).rejects.toThrow(/64 positions/)
    await expect(tune(optionsOf('pretrain', 'new', { microBatchSize: 3 }))).rejects.toThrow(/does not divide/)
    const small = tinyLlama({ vocabSize: 200 })
    await small.save(join(folder, 'small'), await tinyTokenizer())
    small.free()
    await expect(tune(optionsOf('sft', 'new', { model: join(folder, 'small') }))).rejects.toThrow(
      /tokenizer has 299 tokens, the model knows 200/,
    )
    expect(existsSync(join(folder, 'new'))).toBe(false)
  })
})
