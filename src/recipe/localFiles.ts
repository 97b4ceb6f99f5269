import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { listGitFiles } from '../corpus/index.ts'
import { fileError } from '../errors.ts'
import { hashFile } from '../files/atomic.ts'

/** A hash of the contents of each local file or folder that a recipe names, by its path as written. */
export async function hashLocalFiles(
  paths: readonly string[],
  baseDir: string | undefined,
): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {}
  if (baseDir === undefined) return hashes
  for (const path of paths) hashes[path] = await hashTree(resolve(baseDir, path))
  return hashes
}

/** The same of what git tracks in each checkout; its own folder changes with every fetch. */
export async function hashCheckouts(
  paths: readonly string[],
  baseDir: string | undefined,
): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {}
  if (baseDir === undefined) return hashes
  for (const path of paths) {
    const { commit, files } = await listGitFiles(resolve(baseDir, path))
    const hash = createHash('sha256').update(commit)
    for (const file of files) hash.update(`\0${file.name}\0`).update(await hashFile(file.path))
    hashes[`git:${path}`] = hash.digest('hex')
  }
  return hashes
}

async function hashTree(path: string): Promise<string> {
  try {
    if ((await stat(path)).isFile()) return await hashFile(path)
    const hash = createHash('sha256')
    const entries = await readdir(path, { recursive: true, withFileTypes: true })
    const files = entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
    for (const file of files.sort()) {
      hash
        .update(file.slice(path.length))
        .update('\0')
        .update(await hashFile(file))
    }
    return hash.digest('hex')
  } catch (error) {
    throw fileError(error, path)
  }
}
