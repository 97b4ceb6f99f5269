import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { fileError } from '../../errors.ts'
import { loadAddon } from '../../native/addon.ts'
import type { SourceFile } from '../files.ts'
import type { CorpusKernels } from '../kernels.ts'
import type { Report } from './reader.ts'

const MAX_FILE_BYTES = 64 << 20
const GROUP_FILES = 64
const GROUP_BYTES = 8 << 20

interface ReadFile {
  file: SourceFile
  bytes: Buffer
}

/** Reads small files many at a time. A file over 64 MiB is reported as damage: no reader of whole files wants it. */
export async function* readWholeFiles(
  files: readonly SourceFile[],
  report: Report,
): AsyncGenerator<readonly ReadFile[]> {
  let at = 0
  while (at < files.length) {
    const group: SourceFile[] = []
    for (let bytes = 0; at < files.length && group.length < GROUP_FILES && bytes < GROUP_BYTES; at++) {
      const file = files[at]
      if (file === undefined) break
      if (file.bytes > MAX_FILE_BYTES) {
        report.onDamage({
          file: file.path,
          byteOffset: 0,
          bytesLost: file.bytes,
          reason: 'a file over 64 MiB',
        })
        continue
      }
      bytes += file.bytes
      group.push(file)
    }
    yield await Promise.all(
      group.map(async (file) => ({
        file,
        bytes: await readFile(file.path).catch((error) => {
          throw fileError(error, file.path)
        }),
      })),
    )
    report.onBytes(group.reduce((sum, file) => sum + file.bytes, 0))
  }
}

export interface DecodedFile {
  file: SourceFile
  text: string
  /** Characters that stand for bytes which were no text. */
  replaced: number
}

/** Reads text files many at a time: UTF-8, or what their bytes look like. What is no text at all is reported as damage. */
export async function* readTextFiles(
  files: readonly SourceFile[],
  report: Report,
): AsyncGenerator<readonly DecodedFile[]> {
  for await (const group of readWholeFiles(files, report)) {
    const decoded = await decodeFiles(group)
    yield group.flatMap(({ file }, index) => {
      const found = decoded[index]
      if (found !== undefined) return [{ file, text: found.text, replaced: found.replaced }]
      report.onDamage({ file: file.path, byteOffset: 0, bytesLost: file.bytes, reason: 'no text' })
      return []
    })
  }
}

async function decodeFiles(
  files: readonly ReadFile[],
): Promise<({ text: string; replaced: number } | undefined)[]> {
  const foreign = files.filter(({ bytes }) => !isUtf8(bytes) && !looksBinary(bytes))
  const decoded =
    foreign.length === 0
      ? []
      : await loadAddon<CorpusKernels>().extractPages(
          foreign.map(({ bytes }) => ({ bytes, isHttp: false, contentType: 'text/plain' })),
        )
  return files.map((file) => {
    if (isUtf8(file.bytes)) {
      const start = file.bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0
      return { text: file.bytes.toString('utf8', start), replaced: 0 }
    }
    const page = decoded[foreign.indexOf(file)]
    return page === undefined || page.failure !== undefined ? undefined : page
  })
}

/** Many zero bytes that do not alternate with letters as in UTF-16. */
function looksBinary(bytes: Buffer): boolean {
  const start = bytes.subarray(0, 4096)
  const mark = start.length >= 2 && (start.readUInt16BE(0) === 0xfffe || start.readUInt16BE(0) === 0xfeff)
  return !mark && start.includes(0)
}
