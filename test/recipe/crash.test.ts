import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../src/random/random.ts'
import { inspectRun, type RunStatus, type StepRecord } from '../../src/recipe/index.ts'
import {
  type Ended,
  ended,
  main,
  root,
  scratchFolder,
  smolforge,
  startSmolforge,
  tinyRecipe,
} from './child.ts'

const scratch = await scratchFolder()
const undisturbed = join(scratch, 'undisturbed')
let expected: RunStatus

const run = (folder: string, ...more: string[]) =>
  smolforge(['run', tinyRecipe, '--run', join(scratch, folder), '--json', ...more], { cwd: root })

beforeAll(async () => {
  const { code, stderr } = await run('undisturbed')
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expected = await inspectRun(undisturbed)
})

describe('a run that is killed', () => {
  test('ends with the same bits after SIGKILL inside every one of its steps', async () => {
    const random = new Random(20261124)
    const folder = join(scratch, 'killed')
    let kills = 0
    for (const { name, seconds } of expected.steps) {
      const killed = await killInside(folder, name, random.float() * (seconds ?? 0) * 1000)
      if (killed) kills++
    }
    // On a machine that grew faster since the undisturbed run a kill may fall into a later step, which then is not
    // begun anew: such steps are taken out again and killed as they begin.
    for (let attempt = 0; kills < 20 && attempt < 40; attempt++) {
      const { name } = random.pick(expected.steps)
      await rm(join(folder, 'steps', name), { recursive: true, force: true })
      if (await killInside(folder, name, 0)) kills++
    }
    expect(kills).toBeGreaterThanOrEqual(20)
    expect((await run('killed')).code).toBe(0)
    await expectSameResults(folder)
  }, 300_000)

  test('ends with the same bits after SIGKILL at random moments of its training', async () => {
    const random = new Random(7)
    const folder = join(scratch, 'killed-in-training')
    await cp(undisturbed, folder, { recursive: true, verbatimSymlinks: true })
    for (const { name } of expected.steps) {
      if (!/^pretrain-1|^sft$|^dpo$/.test(name)) continue
      await rm(join(folder, 'steps', name), { recursive: true })
      for (let kill = 0; kill < 2; kill++) await killInside(folder, name, random.float() * 300)
    }
    expect((await run('killed-in-training')).code).toBe(0)
    await expectSameResults(folder)
  }, 120_000)

  test('in the middle of writing a file leaves nothing of it in the finished step', async () => {
    const folder = await copyUpTo('killed-in-a-write', 'pretrain-1')
    const state = join(folder, 'steps/pretrain-1.partial/state')
    const child = startSmolforge(['run', tinyRecipe, '--run', folder, '--json'], { cwd: root })
    const ending = ended(child)
    await waitFor(async () => (await checkpoints(state)).length > 0)
    child.kill('SIGKILL')
    await ending
    await writeFile(join(folder, 'steps/pretrain-1.partial/.step.json.tmp'), '{"name": "pre')
    await mkdir(join(state, '.step-000000003.partial'), { recursive: true })
    await writeFile(join(state, '.step-000000003.partial/tensors.safetensors'), 'half')
    expect((await run('killed-in-a-write')).code).toBe(0)
    expect(
      Object.keys(stepRecord(folder, 'pretrain-1').files).filter((name) => /(^|\/)\./.test(name)),
    ).toEqual([])
    await expectSameResults(folder)
  })
})

describe('a run that is asked to stop', () => {
  test.each([
    ['SIGINT', 130, 'pretrain-1'],
    ['SIGTERM', 143, 'sft'],
  ] as const)('saves on %s, says how to go on, and ends with %i', async (signal, code, step) => {
    const folder = await copyUpTo(`stopped-${signal}`, step)
    const child = startSmolforge(['run', tinyRecipe, '--run', folder, '--json'], { cwd: root })
    const ending = ended(child)
    await seen(child, (line) => line.type === 'step-started' && line.step === step)
    child.kill(signal)
    const result = await ending
    expect(result.code).toBe(code)
    expect(result.stderr).toContain('Go on with: smolforge run')
    expect(result.stderr).not.toContain('    at ')
    expect((await inspectRun(folder)).steps.find(({ name }) => name === step)?.state).not.toBe('done')
    expect((await run(`stopped-${signal}`)).code).toBe(0)
    await expectSameResults(folder)
  })

  test('ends at once at the second signal', async () => {
    const folder = await copyUpTo('stopped-twice', 'pretrain-2')
    const child = startSmolforge(['run', tinyRecipe, '--run', folder, '--json'], { cwd: root })
    const ending = ended(child)
    await seen(child, (line) => line.type === 'step-started' && line.step === 'pretrain-2')
    child.kill('SIGINT')
    child.kill('SIGTERM')
    child.kill('SIGINT')
    expect([130, 143]).toContain((await ending).code)
  })
})

describe('a disk that is full', () => {
  test('is named with the file, and nothing that was done is lost', async () => {
    const folder = join(scratch, 'full')
    // A limit on the size of files fails writes as a full disk does, on any machine: here of the first checkpoint.
    const limited = spawn(
      'bash',
      ['-c', 'ulimit -f 250; exec "$0" "$@"', process.execPath, main, 'run', tinyRecipe, '--run', folder],
      { cwd: root, stdio: 'pipe' },
    )
    const { code, stderr } = await ended(limited)
    expect(stderr).toMatch(/Cannot read or write \(EFBIG\)\n {2}at .*steps\//)
    expect(stderr).not.toContain('    at async')
    expect(code).toBe(6)
    const done = (await inspectRun(folder)).steps.filter(({ state }) => state === 'done')
    expect(done.length).toBeGreaterThan(3)
    expect((await run('full')).code).toBe(0)
    await expectSameResults(folder)
  })
})

describe('a damaged file', () => {
  test('of a finished step is named before another step reads it', async () => {
    const folder = await copyUpTo('damaged-step', 'tokenizer')
    const file = join(folder, 'steps/decontaminate/documents.jsonl.zst')
    await flipByte(file, 100)
    await expectDamage(await run('damaged-step'), file)
  })

  test('that is cut short is found even when nothing is left to do', async () => {
    const folder = await copyUpTo('cut-step')
    const file = join(folder, 'steps/shards/prose/shard-00000.bin')
    await truncate(file, 50)
    await expectDamage(await run('cut-step'), file)
  })

  test('in a checkpoint makes training go on from the one before', async () => {
    const folder = await copyUpTo('damaged-checkpoint', 'pretrain-1')
    const child = startSmolforge(['run', tinyRecipe, '--run', folder, '--json'], { cwd: root })
    const ending = ended(child)
    const state = join(folder, 'steps/pretrain-1.partial/state')
    await waitFor(async () => (await checkpoints(state)).length >= 2)
    child.kill('SIGKILL')
    await ending
    const newest = (await checkpoints(state)).at(-1) ?? ''
    await flipByte(join(state, newest, 'tensors.safetensors'), 5000)
    expect((await run('damaged-checkpoint')).code).toBe(0)
    const record = stepRecord(folder, 'pretrain-1')
    expect(record.warnings.join()).toContain(newest)
    await expectSameResults(folder)
  })

  test('of a run that another process works in is left alone: the second run is refused', async () => {
    const folder = await copyUpTo('locked', 'pretrain-2')
    const child = startSmolforge(['run', tinyRecipe, '--run', folder, '--json'], { cwd: root })
    const ending = ended(child)
    await seen(child, (line) => line.type === 'plan')
    const second = await run('locked')
    expect(second.code).toBe(2)
    expect(second.stderr).toContain(`process ${child.pid}`)
    child.kill('SIGKILL')
    await ending
    // The lock of a process that is gone is taken over.
    expect((await run('locked')).code).toBe(0)
  })
})

async function killInside(folder: string, step: string, delayMs: number): Promise<boolean> {
  const child = startSmolforge(['run', tinyRecipe, '--run', folder, '--json'], { cwd: root })
  const ending = ended(child)
  const started = await Promise.race([
    seen(child, (line) => line.type === 'step-started' && line.step === step).then(() => true),
    ending.then(() => false),
  ])
  if (started) {
    const over = seen(child, (line) => line.type === 'step-done' && line.step === step)
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, delayMs))])
  }
  child.kill('SIGKILL')
  return (await ending).signal === 'SIGKILL'
}

/** Models by the hash of their tensors; every other step by its files, those with times in them left out. */
async function expectSameResults(folder: string): Promise<void> {
  const found = await inspectRun(folder)
  expect(found.modelSha256).toBe(expected.modelSha256)
  expect(found.models).toEqual(expected.models)
  expect(found.steps.map(({ name, state }) => [name, state])).toEqual(
    expected.steps.map(({ name }) => [name, 'done']),
  )
  for (const { name } of found.steps) expect(contents(folder, name)).toEqual(contents(undisturbed, name))
}

function contents(folder: string, step: string): Record<string, string> {
  const { files } = stepRecord(folder, step)
  return Object.fromEntries(
    Object.entries(files)
      .filter(([file]) => !/metrics.*\.jsonl$|^state\//.test(file))
      .map(([file, { sha256 }]) => [file, sha256]),
  )
}

function stepRecord(folder: string, step: string): StepRecord {
  return JSON.parse(readFileSync(join(folder, 'steps', step, 'step.json'), 'utf8')) as StepRecord
}

/** The undisturbed run as if it had ended before a step. */
async function copyUpTo(name: string, step?: string): Promise<string> {
  const folder = join(scratch, name)
  await cp(undisturbed, folder, { recursive: true, verbatimSymlinks: true })
  const from = expected.steps.findIndex((status) => status.name === step)
  for (const status of step === undefined ? [] : expected.steps.slice(from)) {
    await rm(join(folder, 'steps', status.name), { recursive: true })
  }
  return folder
}

async function expectDamage({ code, stderr }: Ended, file: string): Promise<void> {
  expect(stderr).toContain(file)
  expect(stderr).not.toContain('    at async')
  expect(code).toBe(5)
}

async function flipByte(file: string, at: number): Promise<void> {
  const bytes = await readFile(file)
  bytes[at] ^= 0xff
  await writeFile(file, bytes)
}

async function checkpoints(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => name.startsWith('step-')).sort()
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Waits for a line of a child's `--json` output. */
function seen(
  child: ReturnType<typeof startSmolforge>,
  matches: (line: { type: string; step?: string }) => boolean,
): Promise<void> {
  let rest = ''
  return new Promise((resolve) => {
    child.stdout?.on('data', (text: string) => {
      rest += text
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      if (lines.some((line) => matches(JSON.parse(line)))) resolve()
    })
  })
}
