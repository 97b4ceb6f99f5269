import { resolve } from 'node:path'
import { SmolforgeError } from '../errors.ts'

/**
 * Refuses two outputs of one name, of which the later would take the place of the other.
 *
 * @param outputs paths by the option that gave them; undefined where it was not given.
 * @throws SmolforgeError `usage`.
 */
export function refuseSameFile(outputs: Record<string, string | undefined>): void {
  const seen = new Map<string, string>()
  for (const [option, path] of Object.entries(outputs)) {
    if (path === undefined) continue
    const other = seen.get(resolve(path))
    if (other !== undefined) throw new SmolforgeError('usage', `${other} and ${option} name the same file`)
    seen.set(resolve(path), option)
  }
}
