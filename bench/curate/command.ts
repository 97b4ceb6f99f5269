// One run of a whole smolforge command on files, as a user has it: wall time with the start of Node, the command's own
// seconds, and the most resident memory.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface CommandRun {
  /** Start of Node included. */
  wall: number
  /** By the command's statistics line. */
  seconds: number
  /** Processor time of all threads. */
  cpu: number
  peakMegabytes: number
  documents: number
  dropped: Record<string, number>
}

const root = join(import.meta.dirname, '../..')
const built = join(root, 'dist/cli/main.js')

/** The built command line where it is there, else the sources through tsx, which take a second to start. */
export async function runCommand(args: readonly string[]): Promise<CommandRun> {
  const main = existsSync(built) ? [built] : ['--import', 'tsx', join(root, 'src/cli/main.ts')]
  const started = performance.now()
  const child = spawn(process.execPath, [...main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
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
  if (code !== 0) throw new Error(stderr)
  const { seconds, documents, dropped } = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '')
  return { wall, seconds, cpu, peakMegabytes: Math.round(peakMegabytes), documents, dropped }
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
