import { mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { modelHash } from '../../src/model/index.ts'
import { configure, engineInfo } from '../../src/tensor/index.ts'
import { pretrain, saveCheckpoint } from '../../src/train/index.ts'
import { tinyLlama } from '../model/tiny.ts'
import { runJob, STEPS } from './jobs.ts'
import { PatternSource } from './source.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'))
})
afterEach(() => rm(folder, { recursive: true }))

const state = () => join(folder, 'state')
const newest = async () =>
  join(state(), (await readdir(state())).filter((name) => /^step-/.test(name)).sort()[1])

async function flipByte(path: string, at: number) {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte[0] ^= 1
  await file.write(byte, 0, 1, at)
  await file.close()
}

describe('a damaged checkpoint costs some steps, not the run', () => {
  const damages: [string, (dir: string) => Promise<void>][] = [
    ['one flipped bit in the weights', (dir) => flipByte(join(dir, 'tensors.safetensors'), 9000)],
    ['cut weights', (dir) => truncate(join(dir, 'tensors.safetensors'), 100)],
    ['missing weights', (dir) => rm(join(dir, 'tensors.safetensors'))],
    ['an empty state', (dir) => writeFile(join(dir, 'state.json'), '')],
    ['a missing state', (dir) => rm(join(dir, 'state.json'))],
    [
      'a changed state',
      async (dir) => {
        const file = join(dir, 'state.json')
        await writeFile(file, (await readFile(file, 'utf8')).replace('"step": 24', '"step": 23'))
      },
    ],
  ]
  it('is named in a warning, the one before is used, and the bits come out the same', async () => {
    const { hash } = await runJob('pretrain', folder)
    for (const [what, damage] of damages) {
      await damage(await newest())
      const seen: string[] = []
      const again = await runJob('pretrain', folder, { onWarning: (warning) => seen.push(warning) })
      expect(again.result.resumedFrom, what).toBe(STEPS.pretrain - 3)
      expect(again.result.warnings.join()).toContain('step-000000024 is damaged')
      expect(seen).toEqual(again.result.warnings)
      expect(again.hash, what).toBe(hash)
    }
  })

  it('a damaged pointer is no loss', async () => {
    const { hash } = await runJob('pretrain', folder)
    await writeFile(join(state(), 'latest.json'), '{"checkp')
    const again = await runJob('pretrain', folder)
    expect(again.result.resumedFrom).toBe(STEPS.pretrain)
    expect(again.hash).toBe(hash)
  })

  it('when none is whole, that is said, and nothing begins from the start by itself', async () => {
    await runJob('pretrain', folder)
    for (const name of await readdir(state())) {
      if (name.startsWith('step-')) await writeFile(join(state(), name, 'state.json'), 'x')
    }
    await expect(runJob('pretrain', folder)).rejects.toMatchObject({
      code: 'damaged',
      place: { file: state() },
    })
  })

  it('a failing write leaves the checkpoints before as they were', async () => {
    const { llama } = await runJob('pretrain', folder)
    const before = await readdir(state(), { recursive: true })
    const good = JSON.parse(await readFile(join(await newest(), 'state.json'), 'utf8')).state
    const [name, tensor] = [...llama.parameters][0]
    tensor.free()
    await expect(saveCheckpoint(state(), { ...good, step: 99 }, new Map([[name, tensor]]))).rejects.toThrow(
      'freed',
    )
    expect(await readdir(state(), { recursive: true })).toEqual(before)
  })
})

describe('a checkpoint is only used for what it was made for', () => {
  it('other settings are refused', async () => {
    await runJob('pretrain', folder)
    const options = {
      llama: tinyLlama(),
      sampler: new PatternSource(3),
      optimizer: { kind: 'adamw', learningRate: 1 } as const,
      schedule: { kind: 'constant', warmupSteps: 0 } as const,
      totalSteps: 30,
      checkpoint: { dir: state() },
    }
    await expect(pretrain(options)).rejects.toThrow('made with other settings')
    const noStage = { ...options, checkpoint: undefined, continueFrom: join(folder, 'nothing'), fromStep: 5 }
    await expect(pretrain(noStage)).rejects.toMatchObject({ code: 'input' })
  })

  it('another number of threads or precision goes on with a warning, which is recorded', async () => {
    const stop = { stopped: false }
    const { precision } = engineInfo()
    const stopping = runJob('pretrain', folder, {
      stop,
      onMetrics: ({ step }) => {
        stop.stopped = step === 6
      },
    })
    await expect(stopping).rejects.toMatchObject({ code: 'interrupted' })
    try {
      configure({ precision: 'bf16' })
      const { result } = await runJob('pretrain', folder)
      expect(result.warnings.join()).toContain('may differ')
      const saved = JSON.parse(await readFile(join(await newest(), 'state.json'), 'utf8')).state
      expect(saved.engineChanges).toMatchObject([{ step: 6, from: { precision }, to: { precision: 'bf16' } }])
    } finally {
      configure({ precision })
    }
  })
})

describe('stages are one training', () => {
  const stage = (dir: string, fromStep: number, toStep: number, before?: string) => ({
    llama: tinyLlama(),
    sampler: new PatternSource(3),
    optimizer: { kind: 'muon', learningRate: 0.01 } as const,
    schedule: { kind: 'wsd', warmupSteps: 2, decayFraction: 0.3 } as const,
    totalSteps: 15,
    fromStep,
    toStep,
    checkpoint: { dir: join(folder, dir), everySteps: 2 },
    continueFrom: before && join(folder, before),
  })

  it('moments, data and schedule go on across them, to the bit', async () => {
    const whole = stage('whole', 0, 15)
    await pretrain(whole)
    await pretrain(stage('one', 0, 5))
    await pretrain(stage('two', 5, 10, 'one'))
    const last = stage('three', 10, 15, 'two')
    const result = await pretrain(last)
    expect(result).toMatchObject({ step: 15, tokens: 15 * 64, resumedFrom: undefined })
    expect(await modelHash(last.llama)).toBe(await modelHash(whole.llama))
    // The finished stage is found again.
    const again = stage('three', 10, 15, 'two')
    expect((await pretrain(again)).resumedFrom).toBe(15)
    expect(await modelHash(again.llama)).toBe(await modelHash(whole.llama))
  })

  it('each has its own mixture, also after a resume', async () => {
    const one = { ...stage('one', 0, 5), weights: { web: 1 } }
    await pretrain(one)
    const two = { ...stage('two', 5, 10, 'one'), weights: { web: 0.5, code: 0.5 } }
    await pretrain(two)
    expect(two.sampler.weights).toEqual({ web: 0.5, code: 0.5 })
    const again = { ...stage('two', 5, 10, 'one'), weights: { web: 0.5, code: 0.5 } }
    await pretrain(again)
    expect(again.sampler.weights).toEqual({ web: 0.5, code: 0.5 })
  })

  it('a stage before that is not finished is refused', async () => {
    await pretrain(stage('one', 0, 4))
    await expect(pretrain(stage('two', 5, 10, 'one'))).rejects.toThrow(
      'of step 4; training was to go on from step 5',
    )
  })
})
