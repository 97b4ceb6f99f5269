import { randomBytes } from 'node:crypto'
import { link, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { fileError, SmolforgeError } from '../errors.ts'

interface Owner {
  pid: number
  /** Start time of the process where the system tells it: process numbers are used again. */
  born: string
  host: string
}

/**
 * Takes a lock, so that two processes never write in one folder; a lock whose process is gone is taken over. Returns
 * the function that gives it back.
 *
 * @param path the file of the lock, in or beside `busy.folder`.
 * @throws SmolforgeError `usage` when another process works there.
 */
export async function takeLock(
  path: string,
  busy: { folder: string; work: string; hint: string },
): Promise<() => Promise<void>> {
  const mine: Owner = { pid: process.pid, born: await birthOf(process.pid), host: hostname() }
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(draft, JSON.stringify(mine))
    for (let attempt = 0; ; attempt++) {
      try {
        // A hard link appears whole or not at all, and fails when the name is taken.
        await link(draft, path)
        break
      } catch (error) {
        if (!isTaken(error) || attempt === 3) throw error
      }
      const owner = await readOwner(path)
      if (owner && (await isAlive(owner))) {
        throw new SmolforgeError(
          'usage',
          `${busy.work} works in this folder (process ${owner.pid} on ${owner.host})`,
          { place: { file: busy.folder }, hint: busy.hint },
        )
      }
      await rm(path, { force: true })
    }
  } catch (error) {
    throw fileError(error, path)
  } finally {
    await rm(draft, { force: true })
  }
  return async () => {
    const owner = await readOwner(path)
    if (owner?.pid === mine.pid && owner.born === mine.born) await unlink(path).catch(() => {})
  }
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    if (typeof value !== 'object' || value === null) return undefined
    const { pid, born, host } = value as Record<string, unknown>
    if (typeof pid !== 'number' || typeof born !== 'string' || typeof host !== 'string') return undefined
    return { pid, born, host }
  } catch {
    return undefined
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  // On another machine of a shared disk the process cannot be asked: believe it.
  if (owner.host !== hostname()) return true
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  return (await birthOf(owner.pid)) === owner.born
}

/** Field 22 of /proc/PID/stat; empty on systems without it. */
async function birthOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST'
}
