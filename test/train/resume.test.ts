import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Random } from '../../src/random/random.ts'
import { type Kind, kinds, runJob, STEPS } from './jobs.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resume-'))
})
afterEach(() => rm(folder, { recursive: true }))

const jobs = fileURLToPath(new URL('./jobs.ts', import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/** Runs a job in a process of its own; kills it some time after it printed step `killAt`. */
function child(kind: Kind, dir: string, kill?: { atStep: number; afterMs: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const run = spawn(process.execPath, ['--import', tsx, jobs, kind, dir])
    let output = ''
    let errors = ''
    run.stdout.on('data', (data: Buffer) => {
      output += data
      if (kill && output.includes(`step ${kill.atStep}\n`))
        setTimeout(() => run.kill('SIGKILL'), kill.afterMs)
    })
    run.stderr.on('data', (data: Buffer) => {
      errors += data
    })
    run.on('close', (code, signal) => {
      if (code === 0 || signal === 'SIGKILL') resolve(output)
      else reject(new Error(`${kind} ended with ${code}: ${errors}`))
    })
  })
}

const steps = async (path: string) =>
  (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).step)

describe('a training that is killed goes on to the same bits', () => {
  for (const kind of kinds) {
    it(`${kind}, with SIGKILL at random points`, async () => {
      const undisturbed = await runJob(kind, join(folder, 'whole'))
      undisturbed.llama.free()
      expect(undisturbed.result.step).toBe(STEPS[kind])
      const random = Random.derive(Date.now(), kind)
      const dir = join(folder, 'killed')
      const kills = kind === 'pretrain' ? 3 : 1
      for (let i = 1; i <= kills; i++) {
        const atStep = Math.floor((i * STEPS[kind]) / (kills + 1)) - random.int(3)
        await child(kind, dir, { atStep, afterMs: random.float() * 20 })
      }
      const output = await child(kind, dir)
      expect(output).toContain(`hash ${undisturbed.hash}`)
      expect(output).not.toContain('resumed undefined')
      const every = Array.from({ length: STEPS[kind] }, (_, i) => i + 1)
      expect(await steps(join(dir, 'metrics.jsonl'))).toEqual(every)
      const left = await readdir(join(dir, 'state'))
      expect(left.filter((name) => name.startsWith('step-')).length).toBe(2)
    })
  }

  it('also when the disk is full: the checkpoints before stay, the error names the file', async () => {
    const whole = await runJob('pretrain', join(folder, 'whole'))
    const dir = join(folder, 'full')
    const stop = { stopped: false }
    const onMetrics = ({ step }: { step: number }) => {
      stop.stopped = step === 8
    }
    await expect(runJob('pretrain', dir, { stop, onMetrics })).rejects.toMatchObject({ code: 'interrupted' })
    const before = await readdir(join(dir, 'state'), { recursive: true })
    // A limit on the size of files fails a write as a full disk does, without being root.
    const limited = `ulimit -f 60; exec "$0" --import "$1" "$2" pretrain "$3"`
    const run = spawnSync('bash', ['-c', limited, process.execPath, tsx, jobs, dir], { encoding: 'utf8' })
    expect(run.status).not.toBe(0)
    expect(run.stderr).toContain("code: 'storage'")
    expect(run.stderr).toContain('step-000000009')
    expect(await readdir(join(dir, 'state'), { recursive: true })).toEqual(before)
    expect((await runJob('pretrain', dir)).hash).toBe(whole.hash)
  })

  it('and when it is asked to stop, it saves first', async () => {
    for (const kind of kinds) {
      const whole = await runJob(kind, join(folder, `${kind}-whole`))
      const dir = join(folder, kind)
      const stop = { stopped: false }
      const stopping = runJob(kind, dir, {
        stop,
        onMetrics: ({ step }) => {
          stop.stopped = step === 8
        },
      })
      await expect(stopping).rejects.toMatchObject({
        code: 'interrupted',
        message: expect.stringContaining('8'),
      })
      const rest = await runJob(kind, dir)
      expect(rest.result.resumedFrom).toBe(8)
      expect(rest.hash).toBe(whole.hash)
      const again = await runJob(kind, dir)
      expect(again.result.resumedFrom).toBe(STEPS[kind])
      expect(again.hash).toBe(whole.hash)
    }
  })
})
