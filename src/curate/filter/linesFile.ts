import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError } from '../../errors.ts'
import { syncFolder } from '../../files/atomic.ts'
import { writeWhole } from '../../files/positioned.ts'

/** A file of lines that has its name only when it is whole. */
export class LinesFile {
  readonly #path: string
  readonly #temporary: string
  readonly #handle: FileHandle
  #waiting: string[] = []

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.#path = path
    this.#temporary = temporary
    this.#handle = handle
  }

  static async open(path: string): Promise<LinesFile> {
    const temporary = join(dirname(path), `.${basename(path)}.tmp`)
    const handle = await open(temporary, 'w').catch((error) => {
      throw fileError(error, path)
    })
    return new LinesFile(path, temporary, handle)
  }

  /** Lines with their line ends; they wait for `flush`. */
  add(lines: string): void {
    this.#waiting.push(lines)
  }

  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return
    const bytes = Buffer.from(this.#waiting.join(''))
    this.#waiting = []
    await this.write(bytes)
  }

  /** Whole lines, of a file that `add` is not used for. */
  async write(bytes: Uint8Array): Promise<void> {
    await writeWhole(this.#handle, bytes).catch((error) => {
      throw fileError(error, this.#path)
    })
  }

  async finish(): Promise<void> {
    await this.flush()
    try {
      await this.#handle.sync()
      await this.#handle.close()
      await rename(this.#temporary, this.#path)
      await syncFolder(dirname(this.#path))
    } catch (error) {
      throw fileError(error, this.#path)
    }
  }

  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => {})
    await rm(this.#temporary, { force: true }).catch(() => {})
  }
}
