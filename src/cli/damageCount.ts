import type { Damage } from '../corpus/index.ts'

const SHOWN = 20

/** Counts what could not be read, and tells a person on standard error of the first of it. */
export class DamageCount {
  count = 0

  readonly add = ({ file, byteOffset, reason, id }: Damage): void => {
    this.count++
    const where = id === undefined ? `byte ${byteOffset}` : `byte ${byteOffset} (${id})`
    if (this.count <= SHOWN) process.stderr.write(`damaged: ${file}, ${where}: ${reason}\n`)
    if (this.count === SHOWN + 1) process.stderr.write('... and more, all of them counted below\n')
  }
}
