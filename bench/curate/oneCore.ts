import { spawnSync } from 'node:child_process'

let works: boolean | undefined

/**
 * The command held to the first core where one thread is measured, so that neither side's reading ahead or garbage
 * collection takes a second one; as it is for more threads, or where the system has no taskset.
 */
export function onCores(threads: number, command: readonly string[]): string[] {
  works ??= spawnSync('taskset', ['-c', '0', 'true']).status === 0
  return threads === 1 && works ? ['taskset', '-c', '0', ...command] : [...command]
}
