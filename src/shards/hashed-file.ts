import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { StoredFile } from './manifest.ts'

const BUFFER_BYTES = 1 << 20

/** A file that is written front to back in large pieces, hashed on the way and on the disk when it is closed. */
export class HashedFile {
  readonly #path: string
  readonly #handle: FileHandle
  readonly #hash = createHash('sha256')
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #bytes = 0

  private constructor(path: string, handle: FileHandle) {
    this.#path = path
    this.#handle = handle
  }

  static async create(path: string): Promise<HashedFile> {
    return new HashedFile(path, await open(path, 'wx'))
  }

  /** The bytes are kept, not copied, until enough have come together: they must not change any more. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes >= BUFFER_BYTES) await this.#flush()
  }

  async close(): Promise<StoredFile> {
    try {
      await this.#flush()
      await this.#handle.sync()
    } finally {
      await this.#handle.close()
    }
    return { file: basename(this.#path), bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }

  /** Closes without a word when something else has failed. */
  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => {})
  }

  async #flush(): Promise<void> {
    const data = Buffer.concat(this.#waiting, this.#waitingBytes)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#hash.update(data)
    this.#bytes += data.length
    await this.#handle.writeFile(data)
  }
}
