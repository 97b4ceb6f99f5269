import { readdir, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'

/** One file of a source: where it is, and its path within the source with forward slashes. */
export interface SourceFile {
  path: string
  name: string
  bytes: number
}

/** Which files of a source are wanted: globs over their names. */
export interface FileChoice {
  include?: readonly string[]
  exclude?: readonly string[]
}

export function fileFilter({ include, exclude }: FileChoice): (name: string) => boolean {
  const wanted = include?.map(globToPattern)
  const unwanted = exclude?.map(globToPattern) ?? []
  return (name) =>
    (wanted === undefined || wanted.some((pattern) => pattern.test(name))) &&
    !unwanted.some((pattern) => pattern.test(name))
}

/**
 * The files below a folder (or the one file), sorted by name so that every machine reads them in the same order.
 * Links are followed to files, not to folders. Dot folders and node_modules are passed over.
 */
export async function listFiles(root: string, choice: FileChoice = {}): Promise<SourceFile[]> {
  const matches = fileFilter(choice)
  const files: SourceFile[] = []
  try {
    const top = await stat(root)
    if (!top.isDirectory()) return [{ path: root, name: basename(root), bytes: top.size }]
    const folders = [root]
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        if (entry.name.startsWith('.')) continue
        const path = join(folder, entry.name)
        if (entry.isDirectory()) {
          if (entry.name !== 'node_modules') folders.push(path)
          continue
        }
        const name = relative(root, path).split(sep).join('/')
        if (!matches(name)) continue
        const found = await stat(path)
        if (found.isFile()) files.push({ path, name, bytes: found.size })
      }
    }
  } catch (error) {
    throw fileError(error, root)
  }
  if (files.length === 0) throw noneMatches(root, choice)
  return files.sort((a, b) => (a.name < b.name ? -1 : 1))
}

export function noneMatches(root: string, { include, exclude }: FileChoice): SmolforgeError {
  return new SmolforgeError('input', 'No file here matches the source', {
    place: { file: root },
    hint: `include: ${include?.join(', ') ?? 'everything'}; exclude: ${exclude?.join(', ') ?? 'nothing'}`,
  })
}

/** `*` and `?` within a folder, `**` across folders, `{a,b}` for alternatives; a pattern covers the whole name. */
export function globToPattern(glob: string): RegExp {
  let pattern = ''
  let depth = 0
  for (let i = 0; i < glob.length; i++) {
    const letter = glob[i] ?? ''
    if (glob.startsWith('**/', i)) {
      pattern += '(?:[^/]+/)*'
      i += 2
    } else if (glob.startsWith('**', i)) {
      pattern += '.*'
      i++
    } else if (letter === '*') pattern += '[^/]*'
    else if (letter === '?') pattern += '[^/]'
    else if (letter === '{') {
      depth++
      pattern += '(?:'
    } else if (letter === '}' && depth > 0) {
      depth--
      pattern += ')'
    } else if (letter === ',' && depth > 0) pattern += '|'
    else pattern += letter.replace(/[.+^$()|[\]\\{}]/, '\\$&')
  }
  if (depth > 0) {
    throw new SmolforgeError('recipe', `A glob with an open brace: ${glob}`, { place: { field: 'include' } })
  }
  return new RegExp(`^${pattern}$`)
}
