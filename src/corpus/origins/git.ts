import { execFile } from 'node:child_process'
import { lstat, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { promisify } from 'node:util'
import { fileError, SmolforgeError } from '../../errors.ts'
import { type FileChoice, fileFilter, type SourceFile } from '../files.ts'

export interface GitFiles {
  /** The commit that is checked out. */
  commit: string
  files: SourceFile[]
  /** What is tracked and is no text: links, and files that were deleted or replaced by links since. */
  skipped: { name: string; reason: string }[]
}

/**
 * The files of a git checkout that git tracks, as they lie in the folder, sorted by name. Links are not followed, and
 * neither is a folder that leads out of the checkout. Nothing that the checkout's own configuration names is run.
 *
 * @throws SmolforgeError `input` for what is no checkout, `environment` without git.
 */
export async function listGitFiles(root: string, choice: FileChoice = {}): Promise<GitFiles> {
  const commit = (await git(root, ['rev-parse', '--verify', 'HEAD'])).trim()
  const listed = await git(root, ['ls-files', '-z', '--cached'])
  const matches = fileFilter(choice)
  const names = [...new Set(listed.split('\0'))].filter((name) => name !== '' && matches(name)).sort()
  const top = await realpath(root).catch((error) => {
    throw fileError(error, root)
  })
  const files: SourceFile[] = []
  const skipped: GitFiles['skipped'] = []
  for (const name of names) {
    const path = join(root, name)
    const found = await lstat(path).catch(() => undefined)
    if (found === undefined) skipped.push({ name, reason: 'deleted since the commit' })
    else if (found.isSymbolicLink()) skipped.push({ name, reason: 'a link' })
    // A submodule is listed as one entry and is a folder.
    else if (!found.isFile()) skipped.push({ name, reason: 'a submodule' })
    else if (!(await realpath(path)).startsWith(top + sep)) skipped.push({ name, reason: 'a link' })
    else files.push({ path, name, bytes: found.size })
  }
  return { commit, files, skipped }
}

async function git(root: string, args: string[]): Promise<string> {
  // A checkout from elsewhere may name programs to run on such occasions.
  const tame = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null']
  try {
    const { stdout } = await promisify(execFile)('git', ['-C', root, ...tame, ...args], {
      maxBuffer: 1 << 30,
      encoding: 'utf8',
    })
    return stdout
  } catch (cause) {
    const said = cause as { code?: unknown; stderr?: string }
    if (said.code === 'ENOENT') {
      throw new SmolforgeError('environment', 'git was not found', {
        place: { file: root },
        hint: 'Install git, or read the folder with path: in the place of git:.',
        cause,
      })
    }
    const reason = (said.stderr ?? '').split('\n').find(Boolean) ?? String(cause)
    throw new SmolforgeError('input', `Not a git checkout with a commit: ${reason.slice(0, 300)}`, {
      place: { file: root },
      hint: 'git: names the folder of a checkout; path: reads any folder.',
      cause,
    })
  }
}
