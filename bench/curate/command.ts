// One run of a whole program on files, as a user has it: wall time with its start, the most resident memory, and of a
// smolforge command its own seconds.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One run of a program, whoever's it is. */
export interface ProgramRun {
  /** Of the whole process. */
  wall: number
  /** Processor time of all threads. */
  cpu: number
  peakMegabytes: number
  stderr: string
}

export interface CommandRun extends Omit<ProgramRun, 'stderr'> {
  /** By the command's statistics line. */
  seconds: number
  documents: number
  dropped: Record<string, number>
}

const root = join(import.meta.dirname, '../..')
const built = join(root, 'dist/cli/main.js')

/** The built command line where it is there, else the sources through tsx, which take a second to start. */
export function smolforge(args: readonly string[]): string[] {
  const main = existsSync(built) ? [built] : ['--import', 'tsx', join(root, 'src/cli/main.ts')]
  return [process.execPath, ...main, ...args]
}

/**
 * Runs a program and looks at its memory and processor time on the way.
 *
 * @throws Error with the last of its standard error where it fails.
 */
export async function runProgram(command: readonly string[]): Promise<ProgramRun> {
  const [program, ...args] = command
  if (program === undefined) throw new Error('no program')
  const started = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (data) => {
    stderr += data
  })
  let [peakMegabytes, cpu] = [0, 0]
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      peakMegabytes = Math.max(peakMegabytes, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1000)
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      cpu = (Number(stat[11]) + Number(stat[12])) / 100
    } catch {
      // The process has ended, or this system has no /proc: the figures stay as they are.
    }
  }, 10)
  const [code] = await once(child, 'close')
  clearInterval(watch)
  const wall = (performance.now() - started) / 1000
  if (code !== 0) throw new Error(`${program} failed: ${stderr.slice(-3000)}`)
  return { wall, cpu, peakMegabytes: Math.round(peakMegabytes), stderr }
}

/** A run of our command line. */
export async function runCommand(args: readonly string[]): Promise<CommandRun> {
  const { stderr, ...run } = await runProgram(smolforge(args))
  const { seconds, documents, dropped } = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '')
  return { ...run, seconds, documents, dropped }
}

/** The run whose own seconds are the median. */
export async function medianRun(args: readonly string[], runs: number): Promise<CommandRun> {
  const all: CommandRun[] = []
  for (let i = 0; i < runs; i++) all.push(await runCommand(args))
  all.sort((a, b) => a.seconds - b.seconds)
  const middle = all[Math.floor(runs / 2)]
  if (middle === undefined) throw new Error('no run')
  return middle
}

/** `12.3 MB/s` and what else of a run belongs into a table. */
export function describeRun(run: CommandRun, megabytes: number): string {
  const speed = (seconds: number) => `${(megabytes / seconds).toFixed(1)} MB/s`
  return (
    `${run.seconds.toFixed(2)} s, ${speed(run.seconds)}, ${Math.round(run.documents / run.seconds)} documents/s ` +
    `(with the start of Node ${run.wall.toFixed(2)} s, ${speed(run.wall)}; processor ${run.cpu.toFixed(2)} s); ` +
    `peak ${run.peakMegabytes} MB`
  )
}
