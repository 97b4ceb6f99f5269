import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileError } from '../../errors.ts'
import type { SourceFile } from '../files.ts'

/** A file that lies elsewhere. */
export interface RemoteFile {
  name: string
  bytes: number
  /** Where it lies, for people; with its version, so that another version is another file. */
  address: string
  /** Fetches it whole, going on from what an earlier call left beside `path`. */
  download(path: string, signal: AbortSignal): Promise<void>
}

/**
 * Fetches files one after the other, the next one while the one before is read, and removes each when the reader asks
 * for the next: the disk holds two of them at most. A download that a crash cut short is gone on with.
 */
export async function* fetchInTurn(
  files: readonly RemoteFile[],
  cacheDir: string,
): AsyncGenerator<{ remote: RemoteFile; local: SourceFile }> {
  const folder = join(cacheDir, 'shards')
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw fileError(error, folder)
  })
  const stop = new AbortController()
  const pathOf = ({ address, name }: RemoteFile) => {
    const digest = createHash('sha256').update(address).digest('hex').slice(0, 16)
    return join(
      folder,
      `${digest}-${basename(name)
        .replace(/[^\w.-]/g, '_')
        .slice(-80)}`,
    )
  }
  const start = (at: number) => {
    const remote = files[at]
    const download = remote?.download(pathOf(remote), stop.signal)
    // A failure is heard when the file's turn comes.
    download?.catch(() => {})
    return download
  }
  let coming = start(0)
  try {
    for (const [at, remote] of files.entries()) {
      await coming
      coming = start(at + 1)
      const path = pathOf(remote)
      yield { remote, local: { path, name: remote.name, bytes: remote.bytes } }
      await rm(path, { force: true })
    }
  } finally {
    stop.abort()
    await coming?.catch(() => {})
  }
}
